//! Where shards should live: even by count, zones apart, as few moves as possible. Pure.
//!
//! [`next`] says one move at a time; asked again after each, it comes to rest. It never asks for
//! more than one voter to change at once, so a shard that moves keeps its majority throughout.

use std::collections::{BTreeMap, BTreeSet};

use super::{Command, NodeId, NodeState, Placement, State};

/// Shards that may move at once over the whole cluster: each copies a log, and none may disturb
/// the others' pushes.
const MOVES_AT_ONCE: usize = 2;
/// Most voters of the meta group itself.
const META_VOTERS_MAX: usize = 5;

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

/// The placement of a new cluster's shards.
pub(super) fn first(state: &State, n_shards: u32) -> Vec<Placement> {
    let n = n_voters(state);
    let mut placed = State { shards: Vec::new(), ..state.clone() };
    for shard in 0..n_shards {
        let mut wanted = BTreeSet::new();
        while wanted.len() < n {
            // Nodes with equal load take turns, so that the first of each shard's nodes differ.
            let node = best(&placed, &wanted, shard).expect("there are as many active nodes");
            wanted.insert(node);
        }
        placed.shards.push(Placement { wanted, voters: BTreeSet::new() });
    }
    placed.shards
}

/// The next shard to place otherwise, if any.
pub fn next(state: &State) -> Option<Command> {
    let moving = state.shards.iter().filter(|placement| placement.is_moving()).count();
    if moving >= MOVES_AT_ONCE {
        return None;
    }
    let resting = || (0_u32..).zip(&state.shards).filter(|(_, placement)| !placement.is_moving());
    let repair = resting().find_map(|(shard, placement)| repaired(state, shard, placement));
    repair.or_else(|| resting().find_map(|(shard, placement)| evened(state, shard, placement)))
}

/// A shard that has a voter which should not be, or too few or too many.
fn repaired(state: &State, shard: u32, placement: &Placement) -> Option<Command> {
    let n = n_voters(state);
    let usable = |id: &NodeId| state.nodes.get(id).is_some_and(|n| n.state == NodeState::Active);
    let mut wanted = placement.wanted.clone();
    let unfit = wanted.iter().copied().find(|id| !usable(id));
    if let Some(unfit) = unfit {
        wanted.remove(&unfit);
        match best(state, &wanted, shard) {
            Some(instead) if wanted.len() < state.replicas => {
                wanted.insert(instead);
            }
            _ if wanted.is_empty() => return None,
            _ => {}
        }
    } else if wanted.len() < n {
        while wanted.len() < n {
            wanted.insert(best(state, &wanted, shard)?);
        }
    } else if wanted.len() > state.replicas {
        let loads = loads(state);
        let fullest = wanted.iter().copied().max_by_key(|id| (loads.get(id).copied(), *id))?;
        wanted.remove(&fullest);
    } else {
        return None;
    }
    Some(Command::Place { shard, before: placement.wanted.clone(), wanted })
}

/// A shard that goes from a node with two more than another to that one, or into a zone that it is
/// not in yet.
fn evened(state: &State, shard: u32, placement: &Placement) -> Option<Command> {
    let loads = loads(state);
    let load = |id: &NodeId| loads.get(id).copied().unwrap_or(0);
    let moves = placement.wanted.iter().copied().filter_map(|from| {
        let mut rest = placement.wanted.clone();
        rest.remove(&from);
        let to = best(state, &placement.wanted, shard)?;
        let apart = crowd(state, &rest, to).cmp(&crowd(state, &rest, from));
        let gains = apart.is_lt() || (apart.is_eq() && load(&from) >= load(&to) + 2);
        gains.then_some((from, to))
    });
    let (from, to) = moves.max_by_key(|(from, _)| load(from))?;
    let mut wanted = placement.wanted.clone();
    wanted.remove(&from);
    wanted.insert(to);
    Some(Command::Place { shard, before: placement.wanted.clone(), wanted })
}

/// The active node that should get one more replica beside those of `kept`: in a zone without
/// one if possible, then with the fewest shards.
fn best(state: &State, kept: &BTreeSet<NodeId>, shard: u32) -> Option<NodeId> {
    let loads = loads(state);
    let active = state.nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
    let free = active.map(|(id, _)| *id).filter(|id| !kept.contains(id));
    let turn = |id: NodeId| (id + u64::MAX / 2 - u64::from(shard)) % state.nodes.len() as u64;
    free.min_by_key(|id| {
        (crowd(state, kept, *id), loads.get(id).copied().unwrap_or(0), turn(*id), *id)
    })
}

/// How many of `kept` are in a node's zone.
fn crowd(state: &State, kept: &BTreeSet<NodeId>, node: NodeId) -> usize {
    let zone = |id: &NodeId| state.nodes.get(id).map_or("", |node| node.zone.as_str());
    let own = zone(&node);
    kept.iter().filter(|id| !own.is_empty() && zone(id) == own).count()
}

/// Shards that each node has, or is to have.
fn loads(state: &State) -> BTreeMap<NodeId, usize> {
    let mut loads = BTreeMap::new();
    for id in state.shards.iter().flat_map(|placement| &placement.wanted) {
        *loads.entry(*id).or_insert(0) += 1;
    }
    loads
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
            let Some(command) = next(state) else { return moves };
            state.apply(&command).expect("a plan that makes sense");
            moves += 1;
            assert!(moves < 10_000, "it comes to rest");
        }
    }

    fn check_even(state: &State) {
        let n = n_voters(state);
        let loads = loads(state);
        let active = state.nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
        let active: Vec<usize> =
            active.map(|(id, _)| loads.get(id).copied().unwrap_or(0)).collect();
        let spread = active.iter().max().unwrap_or(&0) - active.iter().min().unwrap_or(&0);
        assert!(spread <= 1, "{loads:?}");
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
        while let Some(command) = next(&state) {
            state.apply(&command).expect("a plan that makes sense");
        }
        let moving = state.shards.iter().filter(|placement| placement.is_moving()).count();
        assert_eq!(moving, MOVES_AT_ONCE);
    }

    #[derive(Clone, Debug)]
    enum Event {
        Join(u8),
        Drain(u8),
        Resume(u8),
        Remove(u8),
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
                prop_assert!(meta.len() >= n_voters(&state) && meta.iter().all(usable));
            }
        }
    }
}
