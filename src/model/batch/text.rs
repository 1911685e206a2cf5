//! The lines of a batch in the making: one buffer per push that went into it.
//!
//! Buffers outlive their batch: the thread that drops one keeps it for the next push that it reads.
//! Memory that is new to a process costs more to write to than a line costs to copy, since the system
//! maps and clears it page by page. Invariants:
//!
//! - what is kept is bounded, in bytes per thread, and has no text in it;
//! - the whole is there at once only while it is encoded.

use std::cell::RefCell;

/// Bytes that a thread keeps in buffers, and the largest buffer of the whole text that it keeps.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// A smaller buffer comes from what the allocator has at hand.
const KEPT_BYTES_MIN: usize = 32 << 10;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static WHOLE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lines, back to back.
#[derive(Default)]
pub(super) struct Text {
    /// What came before `last`.
    pieces: Vec<Piece>,
    last: Piece,
    n_bytes: usize,
}

/// A buffer that is kept when it is dropped.
#[derive(Default)]
struct Piece(Vec<u8>);

impl Text {
    /// Makes room for so many more bytes.
    pub(super) fn reserve(&mut self, n_bytes: usize) {
        if self.last.0.capacity() == 0 {
            self.last = Piece::with_room(n_bytes);
        } else {
            self.last.0.reserve(n_bytes);
        }
    }

    pub(super) fn push(&mut self, line: &str) {
        self.last.0.extend_from_slice(line.as_bytes());
        self.n_bytes += line.len();
    }

    /// Adds another text after this one. No line is copied.
    pub(super) fn append(&mut self, other: Text) {
        let Text { pieces, last, n_bytes } = other;
        self.pieces.push(std::mem::take(&mut self.last));
        self.pieces.extend(pieces);
        self.last = last;
        self.n_bytes += n_bytes;
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Calls with all of it.
    pub(super) fn whole<T>(&self, call: impl FnOnce(&[u8]) -> T) -> T {
        if self.pieces.is_empty() {
            return call(&self.last.0);
        }
        WHOLE.with_borrow_mut(|whole| {
            whole.clear();
            for piece in self.pieces.iter().chain([&self.last]) {
                whole.extend_from_slice(&piece.0);
            }
            let result = call(whole);
            if whole.capacity() > KEPT_BYTES_MAX {
                *whole = Vec::new();
            }
            result
        })
    }
}

impl Piece {
    fn with_room(n_bytes: usize) -> Piece {
        let kept = SPARE.with_borrow_mut(|spare| {
            let at = spare.iter().position(|buffer| buffer.capacity() >= n_bytes)?;
            Some(spare.swap_remove(at))
        });
        Piece(kept.unwrap_or_else(|| Vec::with_capacity(n_bytes)))
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() < KEPT_BYTES_MIN {
            return;
        }
        buffer.clear();
        // A thread that ends has given back what it kept.
        let _ended = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let kept: usize = spare.iter().map(Vec::capacity).sum();
            if kept + buffer.capacity() <= KEPT_BYTES_MAX {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<usize> {
        SPARE.with_borrow(|spare| spare.iter().map(Vec::capacity).collect())
    }

    #[test]
    fn the_whole_is_every_piece_in_order() {
        let text = |lines: &[&str]| {
            let mut text = Text::default();
            lines.iter().for_each(|line| text.push(line));
            text
        };
        let mut all = text(&["a", "bc"]);
        all.whole(|whole| assert_eq!(whole, b"abc"));
        all.append(text(&[]));
        let mut more = text(&["d"]);
        more.append(text(&["e", "f"]));
        all.append(more);
        all.push("g");
        assert_eq!(all.n_bytes(), 7);
        all.whole(|whole| assert_eq!(whole, b"abcdefg"));
        text(&[]).whole(|whole| assert_eq!(whole, b""));
    }

    #[test]
    fn a_buffer_is_taken_again_where_it_is_large_enough() {
        let with_room = |n_bytes: usize| {
            let mut text = Text::default();
            text.reserve(n_bytes);
            text
        };
        let mut text = with_room(100 << 10);
        text.push("of another push");
        drop(text);
        assert_eq!(kept(), [100 << 10]);
        let larger = with_room(200 << 10);
        assert_eq!(kept(), [100 << 10], "too small for this one");
        let again = with_room(50 << 10);
        assert_eq!(kept(), [0; 0]);
        again.whole(|whole| assert_eq!(whole, b""));
        drop((larger, again));
        assert_eq!(kept(), [200 << 10, 100 << 10]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let sizes = [KEPT_BYTES_MIN - 1, 3 << 20, 2 << 20, 1 << 20, KEPT_BYTES_MAX + 1, 1 << 20];
        drop(sizes.map(Piece::with_room));
        assert_eq!(kept(), [3 << 20, 1 << 20]);
        let mut all = Text::default();
        for _ in 0..3 {
            let mut text = Text::default();
            text.push(&"x".repeat(3 << 20));
            all.append(text);
        }
        all.whole(|whole| assert_eq!(whole.len(), 9 << 20));
        WHOLE.with_borrow(|whole| assert_eq!(whole.capacity(), 0));
    }
}
