//! How often passwords may be tried: by one address for one user, and by one address at all.
//!
//! A try is drawn before it is made and given back unless the password was wrong, so that many at
//! once are as slow as one after the other, and whoever is right is never slowed down by itself.
//!
//! - What is remembered is bounded; it is forgotten once it makes no difference.
//! - One address cannot lock a user out for another.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong passwords in a row that one address may give for one user, and how long until one more.
const PER_USER: Rate = Rate { burst: 5, every: Duration::from_secs(12) };
/// The same for all users.
const PER_ADDRESS: Rate = Rate { burst: 30, every: Duration::from_secs(1) };
/// Addresses and pairs that are remembered.
const KEYS_MAX: usize = 8192;
/// A name longer than this is as good as another.
const NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// What failed lately.
#[derive(Default)]
pub(crate) struct Throttle {
    /// When the last try that was drawn is paid for: the later, the more were drawn.
    paid: Mutex<HashMap<Key, Instant>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    network: [u8; 8],
    user: Option<String>,
}

/// A try that was drawn. Dropping it gives it back.
pub(crate) struct Try<'a> {
    throttle: &'a Throttle,
    keys: [(Key, Rate); 2],
    wrong: bool,
}

impl Throttle {
    /// Draws a try; `None` where there is none left now.
    pub(crate) fn draw(&self, address: IpAddr, user: &str, now: Instant) -> Option<Try<'_>> {
        let name = &user[..user.floor_char_boundary(NAME_BYTES_MAX)];
        let key = |user| Key { network: network(address), user };
        let keys = [(key(Some(name.to_owned())), PER_USER), (key(None), PER_ADDRESS)];
        let mut paid = self.lock();
        make_room(&mut paid, now);
        let left = keys.iter().all(|(key, rate)| {
            let owed = paid.get(key).map_or(Duration::ZERO, |at| at.duration_since(now));
            owed + rate.every <= rate.every * rate.burst
        });
        if !left {
            return None;
        }
        for (key, rate) in &keys {
            let at = paid.entry(key.clone()).or_insert(now);
            *at = (*at).max(now) + rate.every;
        }
        Some(Try { throttle: self, keys, wrong: false })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Instant>> {
        self.paid.lock().expect("no code panics while it holds the tries")
    }
}

impl Try<'_> {
    /// The password was wrong: the try is gone.
    pub(crate) fn wrong(mut self) {
        self.wrong = true;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if self.wrong {
            return;
        }
        let mut paid = self.throttle.lock();
        for (key, rate) in &self.keys {
            if let Some(at) = paid.get_mut(key) {
                *at -= rate.every;
            }
        }
    }
}

/// Whoever has one address of an IPv6 network has all of them.
fn network(address: IpAddr) -> [u8; 8] {
    let mut network = [0; 8];
    match address.to_canonical() {
        IpAddr::V4(address) => network[4..].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => network.copy_from_slice(&address.octets()[..8]),
    }
    network
}

/// Forgets what is paid for, and where that is not enough, those who owe least.
fn make_room(paid: &mut HashMap<Key, Instant>, now: Instant) {
    if paid.len() < KEYS_MAX {
        return;
    }
    paid.retain(|_, at| *at > now);
    if paid.len() >= KEYS_MAX {
        let mut times: Vec<Instant> = paid.values().copied().collect();
        times.sort_unstable();
        let least = times[times.len() / 2];
        paid.retain(|_, at| *at > least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wrong_passwords_run_out() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let fails = |address, user: &str, now| match throttle.draw(address, user, now) {
            Some(drawn) => {
                drawn.wrong();
                true
            }
            None => false,
        };
        assert_eq!((0..9).filter(|_| fails(here, "ann", start)).count(), 5);
        assert!(fails(there, "ann", start), "another address");
        assert!(fails(here, "bob", start), "another user");
        let later = start + PER_USER.every;
        assert!(fails(here, "ann", later) && !fails(here, "ann", later), "one more");
        let users = (0..100).map(|n| format!("u{n}"));
        assert_eq!(users.filter(|user| fails(there, user, start)).count(), 29, "of one address");
    }

    #[tokio::test]
    async fn right_ones_cost_nothing_and_many_at_once_are_one_after_the_other() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let here = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..100 {
            assert!(throttle.draw(here, "ann", now).is_some());
        }
        let drawn: Vec<_> = (0..9).map_while(|_| throttle.draw(here, "ann", now)).collect();
        assert_eq!(drawn.len(), 5);
        drop(drawn);
        assert!(throttle.draw(here, "ann", now).is_some());
    }

    #[tokio::test]
    async fn memory_is_bounded_and_networks_are_one() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..20_000u32 {
            let address = IpAddr::from(n.to_be_bytes());
            throttle.draw(address, "ann", now).expect("the first of its address").wrong();
            assert!(throttle.lock().len() <= KEYS_MAX + 2);
        }
        let [one, two] = ["2001:db8::1", "2001:db8::ffff"].map(|text| text.parse().expect("an IP"));
        assert_eq!(network(one), network(two));
        let mapped = "::ffff:10.0.0.1".parse().expect("an IP");
        assert_eq!(network(mapped), network(IpAddr::from([10, 0, 0, 1])));
    }
}
