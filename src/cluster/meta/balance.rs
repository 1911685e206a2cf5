//! Where shards should live: even by count and by bytes, zones apart, as few moves as possible. Pure.
//!
//! [`next`] says one move at a time, or an exchange of two shards; asked again after each, it comes
//! to rest. It never asks for more than one voter to change at once, so a shard that moves keeps its
//! majority throughout.
//!
//! Counts come first: each shard costs heartbeats and a head, whatever is in it. Where counts are
//! even, a large shard goes to another node for a smaller one that comes back, if that makes the two
//! nodes more alike by enough to be worth two moves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Command, Founder, NodeId, NodeInfo, NodeState, Placement, State};

/// Shards that may move at once over the whole cluster: each copies a log, and none may disturb
/// the others' pushes.
const MOVES_AT_ONCE: usize = 2;
/// Most voters of the meta group itself.
const META_VOTERS_MAX: usize = 5;
/// Nodes that differ by less than this, or by less than a quarter of the fuller one, are alike.
const BYTES_APART_MIN: u64 = 4 << 30;

/// How many voters a shard grows to: odd, since one more than that bears no more failures. It
/// does not shrink because a node went: two disks are better than one.
fn n_voters(state: &State) -> usize {
    let active = state.nodes.values().filter(|node| node.state == NodeState::Active).count();
    odd(active.min(state.replicas))
}

/// The largest odd number up to `n`; 1 at least.
fn odd(n: usize) -> usize {
    (n.max(1) - 1) / 2 * 2 + 1
}

/// What each node has, or is to have.
struct Loads {
    shards: BTreeMap<NodeId, usize>,
    bytes: BTreeMap<NodeId, u64>,
}

impl Loads {
    fn of(state: &State) -> Loads {
        let mut loads = Loads { shards: BTreeMap::new(), bytes: BTreeMap::new() };
        for placement in &state.shards {
            for id in &placement.wanted {
                *loads.shards.entry(*id).or_default() += 1;
                *loads.bytes.entry(*id).or_default() += placement.bytes;
            }
        }
        loads
    }

    fn shards(&self, id: NodeId) -> usize {
        self.shards.get(&id).copied().unwrap_or(0)
    }

    fn bytes(&self, id: NodeId) -> u64 {
        self.bytes.get(&id).copied().unwrap_or(0)
    }
}

/// The placement of a new cluster's shards.
pub(super) fn first(state: &State, n_shards: u32) -> Vec<Placement> {
    let n = n_voters(state);
    let mut placed = State { shards: Vec::new(), ..state.clone() };
    for shard in 0..n_shards {
        let loads = Loads::of(&placed);
        let mut wanted = BTreeSet::new();
        while wanted.len() < n {
            // Nodes with equal load take turns, so that the first of each shard's nodes differ.
            let node = best(&placed, &loads, &wanted, shard);
            wanted.insert(node.expect("there are as many active nodes"));
        }
        let founder = |id: &NodeId| {
            let NodeInfo { peer, incarnation, .. } = &state.nodes[id];
            (*id, Founder { peer: peer.clone(), incarnation: *incarnation })
        };
        let founders = wanted.iter().map(founder).collect();
        placed.shards.push(Placement { wanted, founders, ..Placement::default() });
    }
    placed.shards
}

/// What to place otherwise next: nothing, a shard, or two that change places.
pub fn next(state: &State) -> Vec<Command> {
    let moving = state.shards.iter().filter(|placement| placement.is_moving()).count();
    if moving >= MOVES_AT_ONCE {
        return Vec::new();
    }
    let loads = Loads::of(state);
    let repair =
        resting(state).find_map(|(shard, placement)| repaired(state, &loads, placement, shard));
    if let Some(command) = repair.or_else(|| evened(state, &loads)) {
        return vec![command];
    }
    if moving == 0 { exchanged(state, &loads) } else { Vec::new() }
}

/// Shards that are where they should be.
fn resting(state: &State) -> impl Iterator<Item = (u32, &Placement)> {
    (0_u32..).zip(&state.shards).filter(|(_, placement)| !placement.is_moving())
}

/// A shard that has a voter which should not be, or too few or too many.
fn repaired(state: &State, loads: &Loads, placement: &Placement, shard: u32) -> Option<Command> {
    let n = n_voters(state);
    let usable = |id: &NodeId| state.nodes.get(id).is_some_and(|n| n.state == NodeState::Active);
    let mut wanted = placement.wanted.clone();
    let unfit = wanted.iter().copied().find(|id| !usable(id));
    if let Some(unfit) = unfit {
        wanted.remove(&unfit);
        match best(state, loads, &wanted, shard) {
            Some(instead) if wanted.len() < state.replicas => {
                wanted.insert(instead);
            }
            _ if wanted.is_empty() => return None,
            _ => {}
        }
    } else if wanted.len() < n {
        while wanted.len() < n {
            wanted.insert(best(state, loads, &wanted, shard)?);
        }
    } else if wanted.len() > state.replicas {
        let fullest = wanted.iter().copied().max_by_key(|id| (loads.shards(*id), *id))?;
        wanted.remove(&fullest);
    } else {
        return None;
    }
    Some(Command::Place { shard, before: placement.wanted.clone(), wanted })
}

/// A shard that goes from a node with two more than another to that one, or into a zone that it is
/// not in yet. Of those that may, the one that leaves the two nodes most alike by bytes.
fn evened(state: &State, loads: &Loads) -> Option<Command> {
    let moves = resting(state).flat_map(|(shard, placement)| {
        let to = best(state, loads, &placement.wanted, shard);
        let pairs = placement.wanted.iter().zip(to.into_iter().cycle());
        pairs.filter_map(move |(from, to)| {
            let apart = crowd_change(state, &placement.wanted, *from, to);
            let (more, fewer) = (loads.shards(*from), loads.shards(to));
            let gains = apart.is_lt() || (apart.is_eq() && more >= fewer + 2);
            let left = apart_after(loads, (*from, to), placement.bytes);
            gains.then_some(((more, Reverse(left), Reverse(shard)), (shard, *from, to)))
        })
    });
    let (_, (shard, from, to)) = moves.max_by_key(|(key, _)| *key)?;
    Some(place(state, shard, from, to))
}

/// Two shards that change places between the fullest node by bytes and another one, or one that
/// goes alone where the fullest has one more.
fn exchanged(state: &State, loads: &Loads) -> Vec<Command> {
    let active = state.nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
    let active: Vec<NodeId> = active.map(|(id, _)| *id).collect();
    let Some(full) = active.iter().copied().max_by_key(|id| (loads.bytes(*id), *id)) else {
        return Vec::new();
    };
    let mut best: Option<(u64, Vec<Command>)> = None;
    for other in active {
        let gap = loads.bytes(full) - loads.bytes(other);
        if gap < BYTES_APART_MIN || gap < loads.bytes(full) / 4 {
            continue;
        }
        let may_go = |from: NodeId, to: NodeId| {
            resting(state).filter(move |(_, placement)| {
                let wanted = &placement.wanted;
                wanted.contains(&from)
                    && !wanted.contains(&to)
                    && crowd_change(state, wanted, from, to).is_le()
            })
        };
        let alone = (loads.shards(full) == loads.shards(other) + 1).then_some(None);
        for (there, large) in may_go(full, other) {
            let back = may_go(other, full).map(Some).chain(alone);
            for back in back {
                let small = back.map_or(0, |(_, placement)| placement.bytes);
                let Some(moved) = large.bytes.checked_sub(small) else { continue };
                let left = apart_after(loads, (full, other), moved);
                // Two moves for a little are not worth it, and it has to come to rest.
                if left > gap / 4 * 3 || best.as_ref().is_some_and(|(least, _)| *least <= left) {
                    continue;
                }
                let back = back.map(|(shard, _)| place(state, shard, other, full));
                let commands = std::iter::once(place(state, there, full, other)).chain(back);
                best = Some((left, commands.collect()));
            }
        }
    }
    best.map(|(_, commands)| commands).unwrap_or_default()
}

/// By how many bytes two nodes differ once so many have gone from one to the other.
fn apart_after(loads: &Loads, (from, to): (NodeId, NodeId), bytes: u64) -> u64 {
    let (more, fewer) = (loads.bytes(from), loads.bytes(to));
    more.saturating_sub(bytes).abs_diff(fewer.saturating_add(bytes))
}

fn place(state: &State, shard: u32, from: NodeId, to: NodeId) -> Command {
    let before = state.shards[shard as usize].wanted.clone();
    let mut wanted = before.clone();
    wanted.remove(&from);
    wanted.insert(to);
    Command::Place { shard, before, wanted }
}

/// The active node that should get one more replica beside those of `kept`: in a zone without
/// one if possible, then with the fewest shards, then with the fewest bytes.
fn best(state: &State, loads: &Loads, kept: &BTreeSet<NodeId>, shard: u32) -> Option<NodeId> {
    let active = state.nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
    let free = active.map(|(id, _)| *id).filter(|id| !kept.contains(id));
    let turn = |id: NodeId| (id + u64::MAX / 2 - u64::from(shard)) % state.nodes.len() as u64;
    free.min_by_key(|id| {
        (crowd(state, kept, *id), loads.shards(*id), loads.bytes(*id), turn(*id), *id)
    })
}

/// Whether a replica that goes from one node to another has fewer or more others in its zone.
fn crowd_change(
    state: &State,
    wanted: &BTreeSet<NodeId>,
    from: NodeId,
    to: NodeId,
) -> std::cmp::Ordering {
    let mut rest = wanted.clone();
    rest.remove(&from);
    crowd(state, &rest, to).cmp(&crowd(state, &rest, from))
}

/// How many of `kept` are in a node's zone.
fn crowd(state: &State, kept: &BTreeSet<NodeId>, node: NodeId) -> usize {
    let zone = |id: &NodeId| state.nodes.get(id).map_or("", |node| node.zone.as_str());
    let own = zone(&node);
    kept.iter().filter(|id| !own.is_empty() && zone(id) == own).count()
}

/// Who should vote in the meta group: those who do already, more where there are more nodes, by
/// the rule of [`n_voters`].
pub fn meta_voters(state: &State, now: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let active = |id: &NodeId| state.nodes.get(id).is_some_and(|n| n.state == NodeState::Active);
    let n_active = state.nodes.keys().filter(|id| active(id)).count();
    let mut voters: BTreeSet<NodeId> = now.iter().copied().filter(active).collect();
    let others = state.nodes.keys().copied().filter(active).filter(|id| !now.contains(id));
    let missing = odd(n_active.min(META_VOTERS_MAX)).saturating_sub(voters.len());
    voters.extend(others.take(missing));
    voters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::node;
    use super::*;

    fn cluster(zones: &[&str], n_shards: u32) -> State {
        let nodes = (1..).zip(zones).map(|(id, zone)| (id, node(zone, id))).collect();
        let mut state = State::default();
        state.apply(&Command::Found { replicas: 3, n_shards, nodes }).expect("a first time");
        settle(&mut state);
        state
    }

    /// Moves until nothing is left to move, as if every move succeeded; how many there were.
    fn settle(state: &mut State) -> usize {
        let mut moves = 0;
        loop {
            for (shard, placement) in (0..).zip(state.shards.clone()) {
                if placement.is_moving() {
                    let before = &placement.voters;
                    let gone = before.difference(&placement.wanted).count();
                    assert!(before.len() < 2 || gone <= 1, "one voter goes at a time");
                    let placed = Command::Placed { shard, voters: placement.wanted };
                    state.apply(&placed).expect("it is placed");
                }
            }
            let commands = next(state);
            if commands.is_empty() {
                return moves;
            }
            for command in commands {
                state.apply(&command).expect("a plan that makes sense");
                moves += 1;
            }
            assert!(moves < 10_000, "it comes to rest");
        }
    }

    fn check_even(state: &State) {
        let n = n_voters(state);
        let loads = Loads::of(state);
        let active = state.nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
        let active: Vec<usize> = active.map(|(id, _)| loads.shards(*id)).collect();
        let spread = active.iter().max().unwrap_or(&0) - active.iter().min().unwrap_or(&0);
        assert!(spread <= 1, "{active:?}");
        assert!(state.shards.iter().all(|placement| placement.wanted.len() == n));
    }

    #[test]
    fn odd_numbers() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(odd), [1, 1, 1, 3, 3, 5]);
    }

    #[test]
    fn new_clusters_are_even() {
        check_even(&cluster(&[""], 8));
        check_even(&cluster(&["", ""], 8));
        let three = cluster(&["", "", ""], 8);
        check_even(&three);
        assert!(three.shards.iter().all(|placement| placement.wanted.len() == 3));
        check_even(&cluster(&[""; 7], 64));
    }

    #[test]
    fn zones_are_kept_apart() {
        let state = cluster(&["a", "a", "b", "b", "c", "c"], 16);
        for placement in &state.shards {
            let zones: BTreeSet<&str> =
                placement.wanted.iter().map(|id| state.nodes[id].zone.as_str()).collect();
            assert_eq!(zones.len(), 3, "{placement:?}");
        }
    }

    #[test]
    fn a_fourth_node_takes_its_share_and_no_more_moves() {
        let mut state = cluster(&["", "", ""], 8);
        state.apply(&Command::Join { id: 4, node: node("", 4) }).expect("it comes in");
        let moves = settle(&mut state);
        check_even(&state);
        assert_eq!(moves, 6, "a quarter of 24 replicas");
        state.apply(&Command::SetState { id: 1, state: NodeState::Draining }).expect("it drains");
        settle(&mut state);
        assert!(state.shards.iter().all(|placement| !placement.wanted.contains(&1)));
        check_even(&state);
    }

    #[test]
    fn one_node_grows_to_three() {
        let mut state = cluster(&[""], 8);
        for id in [2, 3] {
            state.apply(&Command::Join { id, node: node("", id) }).expect("it comes in");
            settle(&mut state);
        }
        assert!(state.shards.iter().all(|placement| placement.wanted.len() == 3));
    }

    #[test]
    fn a_dead_node_is_replaced_or_left_out() {
        let mut state = cluster(&["", "", ""], 4);
        state.apply(&Command::SetState { id: 2, state: NodeState::Removed }).expect("it goes");
        settle(&mut state);
        assert!(state.shards.iter().all(|placement| placement.wanted == BTreeSet::from([1, 3])));
        let voters = meta_voters(&state, &BTreeSet::from([1, 2, 3]));
        assert_eq!(voters, BTreeSet::from([1, 3]));
        state.apply(&Command::Join { id: 4, node: node("", 4) }).expect("it comes in");
        settle(&mut state);
        check_even(&state);
        assert_eq!(meta_voters(&state, &voters), BTreeSet::from([1, 3, 4]));
    }

    #[test]
    fn few_moves_at_once() {
        let mut state = cluster(&["", "", ""], 32);
        state.apply(&Command::Join { id: 4, node: node("", 4) }).expect("it comes in");
        while let Some(command) = next(&state).pop() {
            state.apply(&command).expect("a plan that makes sense");
        }
        let moving = state.shards.iter().filter(|placement| placement.is_moving()).count();
        assert_eq!(moving, MOVES_AT_ONCE);
    }

    fn sized(state: &mut State, gib: &[u64]) {
        for (shard, gib) in (0..).zip(gib) {
            state.apply(&Command::Sized { shard, bytes: gib << 30 }).expect("a shard");
        }
    }

    #[test]
    fn large_shards_are_shared() {
        let mut state = cluster(&["", "", "", ""], 8);
        // The three on which the first node has most of its bytes, and nobody else.
        let large = |placement: &Placement| placement.wanted.contains(&1);
        let gib: Vec<u64> =
            state.shards.iter().map(|shard| if large(shard) { 100 } else { 1 }).collect();
        let before = Loads::of(&state);
        sized(&mut state, &gib);
        let moves = settle(&mut state);
        check_even(&state);
        let loads = Loads::of(&state);
        let mut bytes: Vec<u64> = (1..5).map(|id| loads.bytes(id) >> 30).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [402, 402, 501, 501]);
        assert!((2..=8).contains(&moves), "{moves} moves");
        assert_eq!(before.shards, loads.shards, "as many shards as before");
        assert_eq!(settle(&mut state), 0);
    }

    #[test]
    fn small_differences_are_left() {
        let mut state = cluster(&["", "", "", ""], 8);
        sized(&mut state, &[10, 11, 12, 13, 10, 11, 12, 13]);
        assert_eq!(settle(&mut state), 0);
        let mut state = cluster(&["", "", "", ""], 8);
        sized(&mut state, &[1, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(settle(&mut state), 0, "a gigabyte is not worth a move");
    }

    #[test]
    fn the_number_of_voters_changes() {
        let mut state = cluster(&["", "", "", "", ""], 8);
        for replicas in [5, 1, 3, 7] {
            state.apply(&Command::SetReplicas { replicas }).expect("a number of voters");
            settle(&mut state);
            check_even(&state);
            let n = replicas.min(5);
            assert!(state.shards.iter().all(|placement| placement.wanted.len() == n));
        }
    }

    #[derive(Clone, Debug)]
    enum Event {
        Join(u8),
        Drain(u8),
        Resume(u8),
        Remove(u8),
        Sized(u8, u8),
        Replicas(u8),
    }

    proptest! {
        #[test]
        fn whatever_happens_it_becomes_even(
            zones in prop::collection::vec(prop_oneof![Just(""), Just("a"), Just("b")], 1..5),
            events in prop::collection::vec(
                prop_oneof![
                    (0..3_u8).prop_map(Event::Join),
                    (0..9_u8).prop_map(Event::Drain),
                    (0..9_u8).prop_map(Event::Resume),
                    (0..9_u8).prop_map(Event::Remove),
                    (0..8_u8, 0..200_u8).prop_map(|(shard, gib)| Event::Sized(shard, gib)),
                    (0..4_u8).prop_map(Event::Replicas),
                ],
                0..12,
            ),
        ) {
            let mut state = cluster(&zones, 8);
            let mut meta = meta_voters(&state, &BTreeSet::new());
            for event in events {
                let last = *state.nodes.keys().max().expect("nodes");
                let of = |n: u8| u64::from(n) % last + 1;
                let command = match event {
                    Event::Join(zone) => {
                        let zone = ["", "a", "b"][usize::from(zone)];
                        Command::Join { id: last + 1, node: node(zone, last + 1) }
                    }
                    Event::Drain(n) => Command::SetState { id: of(n), state: NodeState::Draining },
                    Event::Resume(n) => Command::SetState { id: of(n), state: NodeState::Active },
                    Event::Remove(n) => Command::SetState { id: of(n), state: NodeState::Removed },
                    Event::Sized(shard, gib) => {
                        Command::Sized { shard: shard.into(), bytes: u64::from(gib) << 30 }
                    }
                    Event::Replicas(n) => Command::SetReplicas { replicas: usize::from(n) * 2 + 1 },
                };
                // Some make no sense, and are refused.
                let _ = state.apply(&command);
                settle(&mut state);
                let usable = |id: &NodeId| state.nodes[id].state == NodeState::Active;
                for placement in &state.shards {
                    prop_assert!(placement.wanted.iter().all(usable));
                    prop_assert!(placement.wanted.len() >= n_voters(&state));
                    prop_assert!(placement.wanted.len() <= state.replicas);
                }
                meta = meta_voters(&state, &meta);
                let n_active = state.nodes.keys().filter(|id| usable(id)).count();
                prop_assert!(meta.len() >= odd(n_active.min(3)) && meta.iter().all(usable));
            }
        }
    }
}
