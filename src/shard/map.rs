//! A sorted map whose copies share what they have in common: a B-tree of reference-counted nodes.
//!
//! A copy costs one reference count. A change after a copy rebuilds the nodes on one path, at most
//! [`NODE_LEN_MAX`] items in each of three or four nodes, however large the map is: readers get a
//! view after every push while the one writer goes on.
//!
//! Invariants:
//! * Keys ascend through the leaves. In a branch, `separators[i] <= keys of child i` and these are
//!   below `separators[i + 1]`, where the first separator counts as "before everything".
//! * All leaves have the same depth; no node is empty, except the root of an empty map.

use std::sync::Arc;

/// Items in one node.
const NODE_LEN_MAX: usize = 32;
/// A node below this is merged with a neighbour where both fit in one.
const NODE_LEN_MIN: usize = 8;

/// A sorted map with cheap copies.
#[derive(Clone, Debug)]
pub struct Map<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Branch(Vec<Child<K, V>>),
}

/// A child of a branch, after the separator that is at most its keys.
type Child<K, V> = (K, Arc<Node<K, V>>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K, V> Map<K, V> {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All items in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.iter_after(|_| false)
    }

    /// The items that follow those for which `before` holds. `before` must hold for a prefix of
    /// the keys.
    pub fn iter_after(&self, before: impl Fn(&K) -> bool) -> Iter<'_, K, V> {
        let mut iter = Iter { branches: Vec::new(), leaf: [].iter() };
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => {
                    iter.leaf = items[items.partition_point(|(key, _)| before(key))..].iter();
                    return iter;
                }
                Node::Branch(children) => {
                    let at = child_of(children, &before);
                    iter.branches.push(children[at + 1..].iter());
                    node = &children[at].1;
                }
            }
        }
    }

    /// The last item.
    pub fn last(&self) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => return items.last().map(|(key, value)| (key, value)),
                Node::Branch(children) => node = &children.last().expect("no branch is empty").1,
            }
        }
    }
}

/// The child in which the first key that is not `before` is, or after which it follows.
fn child_of<K, V>(children: &[Child<K, V>], before: impl Fn(&K) -> bool) -> usize {
    children.partition_point(|(separator, _)| before(separator)).saturating_sub(1)
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => {
                    let at = items.binary_search_by(|(own, _)| own.cmp(key)).ok()?;
                    return Some(&items[at].1);
                }
                Node::Branch(children) => node = &children[child_of(children, |own| own <= key)].1,
            }
        }
    }

    /// Sets the value of a key; gives back the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (old, split) = insert(Arc::make_mut(&mut self.root), key, value);
        if let Some(right) = split {
            let left = std::mem::replace(&mut self.root, Arc::new(Node::Leaf(Vec::new())));
            let children = vec![(first_key(&left).clone(), left), right];
            self.root = Arc::new(Node::Branch(children));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes a key out; gives back its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        // Copying the path to a key that is not there would be for nothing.
        self.get(key)?;
        let old = remove(Arc::make_mut(&mut self.root), key);
        while let Node::Branch(children) = &*self.root
            && children.len() == 1
        {
            self.root = children[0].1.clone();
        }
        self.len -= usize::from(old.is_some());
        old
    }
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch(children) => children.len(),
        }
    }
}

fn first_key<K, V>(node: &Node<K, V>) -> &K {
    match node {
        Node::Leaf(items) => &items[0].0,
        Node::Branch(children) => &children[0].0,
    }
}

/// A new right neighbour of a node that grew too long, and its separator.
type Split<K, V> = Option<Child<K, V>>;

fn insert<K: Ord + Clone, V: Clone>(
    node: &mut Node<K, V>,
    key: K,
    value: V,
) -> (Option<V>, Split<K, V>) {
    match node {
        Node::Leaf(items) => match items.binary_search_by(|(own, _)| own.cmp(&key)) {
            Ok(at) => (Some(std::mem::replace(&mut items[at].1, value)), None),
            Err(at) => {
                items.insert(at, (key, value));
                (None, split(items, at, Node::Leaf))
            }
        },
        Node::Branch(children) => {
            let at = child_of(children, |own| *own <= key);
            let (old, right) = insert(Arc::make_mut(&mut children[at].1), key, value);
            let Some(right) = right else { return (old, None) };
            children.insert(at + 1, right);
            (old, split(children, at + 1, Node::Branch))
        }
    }
}

/// Cuts off the right part of a node that is too long after an insert at `at`. Where keys come in
/// order, as log indexes do, the left part stays full.
fn split<K: Clone, V, T>(
    items: &mut Vec<(K, T)>,
    at: usize,
    node: impl Fn(Vec<(K, T)>) -> Node<K, V>,
) -> Split<K, V> {
    if items.len() <= NODE_LEN_MAX {
        return None;
    }
    let middle = if at + 1 == items.len() { at } else { items.len() / 2 };
    let right = items.split_off(middle);
    Some((right[0].0.clone(), Arc::new(node(right))))
}

fn remove<K: Ord + Clone, V: Clone>(node: &mut Node<K, V>, key: &K) -> Option<V> {
    match node {
        Node::Leaf(items) => {
            let at = items.binary_search_by(|(own, _)| own.cmp(key)).ok()?;
            Some(items.remove(at).1)
        }
        Node::Branch(children) => {
            let at = child_of(children, |own| own <= key);
            let old = remove(Arc::make_mut(&mut children[at].1), key);
            shrink(children, at);
            old
        }
    }
}

/// After a removal in one child: drops it where it is empty, merges it where it is short.
fn shrink<K: Clone, V: Clone>(children: &mut Vec<Child<K, V>>, at: usize) {
    let len = children[at].1.len();
    if len == 0 {
        children.remove(at);
        return;
    }
    if len >= NODE_LEN_MIN {
        return;
    }
    // The pair of neighbours to merge: with the right one, or with the left one at the end.
    let left = if at + 1 < children.len() { at } else { at.saturating_sub(1) };
    let fits = |pair: &[Child<K, V>]| pair[0].1.len() + pair[1].1.len() <= NODE_LEN_MAX;
    if children.get(left..left + 2).is_some_and(fits) {
        let (separator, right) = children.remove(left + 1);
        merge(Arc::make_mut(&mut children[left].1), Arc::unwrap_or_clone(right), separator);
    }
}

fn merge<K, V>(left: &mut Node<K, V>, right: Node<K, V>, separator: K) {
    match (left, right) {
        (Node::Leaf(items), Node::Leaf(more)) => items.extend(more),
        (Node::Branch(children), Node::Branch(mut more)) => {
            // The first separator of a branch may lie above the keys it stands for.
            more[0].0 = separator;
            children.extend(more);
        }
        (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
            unreachable!("neighbours have the same depth")
        }
    }
}

/// Items of a [`Map`] in order.
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    /// What is still to come of each branch on the way to the leaf.
    branches: Vec<std::slice::Iter<'a, Child<K, V>>>,
    leaf: std::slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            let children = self.branches.last_mut()?;
            match children.next().map(|(_, node)| &**node) {
                None => drop(self.branches.pop()),
                Some(Node::Leaf(items)) => self.leaf = items.iter(),
                Some(Node::Branch(children)) => self.branches.push(children.iter()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check_nodes(
        node: &Node<u32, u32>,
        low: Option<u32>,
        high: Option<u32>,
        is_root: bool,
    ) -> usize {
        assert!(is_root || node.len() > 0, "no node is empty");
        assert!(node.len() <= NODE_LEN_MAX);
        match node {
            Node::Leaf(items) => {
                assert!(items.is_sorted_by(|a, b| a.0 < b.0));
                let within = |key: u32| {
                    low.is_none_or(|low| low <= key) && high.is_none_or(|high| key < high)
                };
                assert!(items.iter().all(|(key, _)| within(*key)));
                1
            }
            Node::Branch(children) => {
                let bound = |i: usize| children.get(i).map(|(separator, _)| *separator);
                let depths: Vec<usize> = (0..children.len())
                    .map(|i| {
                        let low = if i == 0 { low } else { bound(i) };
                        check_nodes(&children[i].1, low, bound(i + 1).or(high), false)
                    })
                    .collect();
                assert!(depths.iter().all(|depth| *depth == depths[0]), "one depth");
                depths[0] + 1
            }
        }
    }

    fn check(map: &Map<u32, u32>, twin: &BTreeMap<u32, u32>) {
        check_nodes(&map.root, None, None, true);
        assert_eq!(map.len(), twin.len());
        assert!(map.iter().eq(twin.iter()));
        assert_eq!(map.last(), twin.last_key_value());
        for start in [0, 1, 50, 299, 5000] {
            assert!(map.iter_after(|key| *key < start).eq(twin.range(start..)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Copies taken on the way must not see what came after.
        #[test]
        fn equals_its_naive_twin(
            changes in prop::collection::vec(
                (0_u32..300, prop::option::weighted(0.6, 0_u32..9)),
                0..1500,
            )
        ) {
            let (mut map, mut twin) = (Map::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (i, (key, value)) in changes.into_iter().enumerate() {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(key, value), twin.insert(key, value)),
                    None => prop_assert_eq!(map.remove(&key), twin.remove(&key)),
                }
                prop_assert_eq!(map.get(&key), twin.get(&key));
                if i % 300 == 0 {
                    copies.push((map.clone(), twin.clone()));
                }
            }
            copies.push((map, twin));
            copies.iter().for_each(|(map, twin)| check(map, twin));
        }
    }

    #[test]
    fn grows_in_order_and_empties_from_either_end() {
        for backwards in [false, true] {
            let (mut map, mut twin) = (Map::default(), BTreeMap::new());
            for key in 0..5000 {
                map.insert(key, key);
                twin.insert(key, key);
            }
            check(&map, &twin);
            for i in 0..5000 {
                let key = if backwards { 4999 - i } else { i };
                assert_eq!(map.remove(&key), twin.remove(&key));
                if i % 97 == 0 {
                    check(&map, &twin);
                }
            }
            assert!(map.is_empty());
            check(&map, &twin);
        }
    }
}
