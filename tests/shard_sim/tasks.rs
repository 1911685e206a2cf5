//! What leaders do: plan on some view, then carry it out piece by piece, or not at all.
//!
//! A task is one leader's work under way. It may be slow, done twice, or end in the middle with its
//! process; several leaders may have tasks for the same thing.

use drave::model::{Index, Timestamp};
use drave::shard::{
    Chunk, Command, Flushed, SealedHead, ShardView, Tombstone, attempt_number, chunk_inputs,
    erasable, seal_due, uploads,
};

use crate::objects::Object;
use crate::replica::SHARD;
use crate::twin::{Placed, decode, time_of};
use crate::world::{Bug, TASK_STEPS_MAX, World, tenants};

/// Tasks under way at once; more are forgotten, as by a process that dies.
const TASKS_MAX: usize = 12;
/// A task that is nobody's.
const SHARED: usize = usize::MAX;

pub(crate) struct Task {
    leader: usize,
    born: usize,
    /// Objects to write, one after the other.
    puts: Vec<(String, Object)>,
    /// Then objects to delete.
    deletes: Vec<String>,
    /// Then a command to propose.
    then: Command,
    /// Objects that were written.
    written: Vec<String>,
    /// Of a sweep: what was there when it began.
    listed: Vec<String>,
}

impl World {
    /// A replica believes that it leads, plans, and starts on the plan.
    pub(crate) fn lead(&mut self, i: usize) {
        let (policy, now) = (self.policy(), self.now(i));
        let replica = &mut self.replicas[i];
        let Some(view) = replica.shard.view() else { return };
        replica.age.observe(&view, now);
        if seal_due(&view, &policy, &replica.age, now) {
            self.start(i, Vec::new(), Vec::new(), Command::Seal);
        }
        for chunk in uploads(&view, &policy) {
            let sealed = view.sealed_heads().iter().find(|sealed| sealed.chunk == chunk);
            let sealed = sealed.expect("the plan was made on this view");
            let (puts, flush) = upload(&view, sealed);
            if self.bug == Some(Bug::FlushBeforePut) {
                self.start(SHARED, Vec::new(), Vec::new(), flush.clone());
            }
            self.start(i, puts, Vec::new(), flush);
        }
        let chunks = erasable(&view, &policy, now);
        if !chunks.is_empty() {
            let paths = chunks.iter().map(|chunk| chunk.path.clone()).collect();
            let chunks = chunks.into_iter().map(|chunk| chunk.key).collect();
            self.start(i, Vec::new(), paths, Command::Forget { chunks });
        }
    }

    /// Starts on something, unless the same leader is at it already.
    fn start(
        &mut self,
        leader: usize,
        puts: Vec<(String, Object)>,
        deletes: Vec<String>,
        then: Command,
    ) {
        if self.tasks.iter().any(|task| task.leader == leader && task.then == then) {
            return;
        }
        let born = self.step;
        let (written, listed) = (Vec::new(), Vec::new());
        self.tasks.push(Task { leader, born, puts, deletes, then, written, listed });
        if self.tasks.len() > TASKS_MAX {
            let lost = self.rng.below(self.tasks.len());
            self.tasks.swap_remove(lost);
        }
    }

    /// One task gets one thing done.
    pub(crate) fn advance(&mut self) {
        let step = self.step;
        self.tasks.retain(|task| step - task.born <= TASK_STEPS_MAX);
        if self.tasks.is_empty() {
            return;
        }
        let at = self.rng.below(self.tasks.len());
        let task = &mut self.tasks[at];
        if let Some((path, object)) = task.puts.pop() {
            task.written.push(path.clone());
            self.objects.put_new(&path, object);
        } else if let Some(path) = task.deletes.pop() {
            self.objects.delete(&path);
            self.coverage.erased += 1;
        } else {
            let task = self.tasks.swap_remove(at);
            match self.rng.below(6) {
                0 => return, // Lost on the way.
                1 => {
                    self.propose(&task);
                    self.propose(&task);
                }
                _ => self.propose(&task),
            }
            if task.then == Command::Fence {
                self.sweep_unnamed(task.leader, task.listed);
            }
        }
    }

    fn propose(&mut self, task: &Task) {
        let reply = self.commit(task.then.encode());
        if self.bug == Some(Bug::EraseOnStale) && reply == drave::shard::Reply::Stale {
            task.written.iter().for_each(|path| self.objects.delete(path));
        }
    }

    /// Merges neighbours, or rewrites one, or tries what must not be.
    pub(crate) fn compact(&mut self, i: usize) {
        let now = self.now(i);
        let Some(view) = self.replicas[i].shard.view() else { return };
        let tenant = &tenants()[self.rng.below(3)];
        let chunks = view.chunks(tenant, &(Timestamp::MIN..Timestamp::MAX));
        if chunks.is_empty() {
            return;
        }
        // Often the same one again, as a planner would that knows nothing of earlier attempts.
        let first = if self.rng.one_in(2) { 0 } else { self.rng.below(chunks.len()) };
        let end = (first + 1 + self.rng.below(3)).min(chunks.len());
        let mut inputs: Vec<&Chunk> = chunks[first..end].to_vec();
        if inputs.len() == 3 && self.rng.one_in(4) {
            inputs.remove(1);
        }
        let read = |chunk: &&Chunk| self.objects.get(&chunk.path(SHARD));
        let Some(objects) = inputs.iter().map(read).collect::<Option<Vec<&Object>>>() else {
            return; // An old view.
        };
        let object = Object { entries: objects.iter().flat_map(|o| o.entries.clone()).collect() };
        inputs.sort_by_key(|chunk| chunk.key.id);
        let base = view.applied();
        let path = Chunk::merged(0, &inputs, object.info(), attempt_number(base, now)).path(SHARD);
        let retire = inputs.iter().map(|chunk| chunk.key.id).collect();
        let tenant = tenant.clone();
        let replace = Command::Replace { base, at: now, tenant, retire, object: object.info() };
        self.start(i, vec![(path, object)], Vec::new(), replace);
    }

    /// Retention: the oldest chunks of a tenant go.
    pub(crate) fn retain(&mut self, i: usize) {
        let at = self.now(i);
        let Some(view) = self.replicas[i].shard.view() else { return };
        let chunks = view.chunks(&tenants()[self.rng.below(3)], &(Timestamp::MIN..Timestamp::MAX));
        let n = (1 + self.rng.below(2)).min(chunks.len());
        let chunks = chunks[..n].iter().map(|chunk| chunk.key.clone()).collect();
        self.start(i, Vec::new(), Vec::new(), Command::Retire { at, chunks });
    }

    /// Looks for objects that no row names. No clock is asked, so it may be any time whatever.
    pub(crate) fn sweep(&mut self, i: usize) {
        let listed = self.objects.list();
        let is_unfenced = match self.bug {
            Some(Bug::SweepUnfenced) => true,
            Some(Bug::SweepBehindOldFence) => self.coverage.fences() > 0,
            _ => false,
        };
        if is_unfenced {
            self.sweep_unnamed(i, listed);
        } else {
            self.start(i, Vec::new(), Vec::new(), Command::Fence);
            if let Some(task) = self.tasks.iter_mut().rfind(|task| task.then == Command::Fence) {
                task.listed = listed;
            }
        }
    }

    /// Goes on to delete what was listed and is not named, by a view of everything committed.
    fn sweep_unnamed(&mut self, i: usize, listed: Vec<String>) {
        self.apply_until(i, self.log.len() as Index);
        let view = self.replicas[i].shard.view().expect("it heard everything");
        let named: Vec<String> = view.manifest().iter().map(|(_, c)| c.path(SHARD)).collect();
        let unnamed: Vec<String> =
            listed.into_iter().filter(|path| !named.contains(path)).collect();
        self.coverage.swept += unnamed.len();
        if self.rng.one_in(2) {
            unnamed.iter().for_each(|path| self.objects.delete(path));
        } else {
            // Slowly, and what it says in the end says nothing.
            let nothing = Command::Forget { chunks: Vec::new() };
            self.start(SHARED, Vec::new(), unnamed, nothing);
        }
    }

    pub(crate) fn tombstone(&mut self) {
        let id = self.rng.below(4) as u64;
        let command = if self.rng.one_in(3) {
            Command::CancelDelete { id }
        } else {
            let start = time_of(self.rng.below(2));
            let tenant = tenants()[self.rng.below(2)].clone();
            let query = "{app=\"app-1\"}".into();
            let tombstone = Tombstone { tenant, query, start, end: time_of(9), created: start };
            Command::Delete { id, tombstone }
        };
        self.commit(command.encode());
    }
}

/// What to write for a sealed head, and the command that says it was written.
fn upload(view: &ShardView, sealed: &SealedHead) -> (Vec<(String, Object)>, Command) {
    let mut puts = Vec::new();
    let mut tenants = Vec::new();
    let batches: Vec<(Index, Vec<Vec<crate::twin::Entry>>)> =
        sealed.head.iter().map(|(index, batch)| (index, decode(batch))).collect();
    for input in chunk_inputs(sealed) {
        let mut entries = Vec::new();
        assert!(input.streams.is_sorted_by(|a, b| a.labels < b.labels));
        for stream in input.streams {
            assert!(stream.pieces.is_sorted());
            for piece in stream.pieces {
                let (index, segments) = &batches[piece.batch];
                let before: usize = segments[..piece.segment].iter().map(Vec::len).sum();
                for (row, entry) in segments[piece.segment].iter().enumerate() {
                    assert_eq!(entry.labels, stream.labels);
                    let (index, row) = (*index, before + row);
                    entries.push(Placed { index, row, entry: entry.clone() });
                }
            }
        }
        let row = view.chunk(sealed.chunk, &input.tenant).expect("a seal makes a row per tenant");
        let object = Object { entries };
        let (tenant, content) = (input.tenant, row.content);
        tenants.push(Flushed { tenant, content, object: object.info() });
        puts.push((row.path(SHARD), object));
    }
    (puts, Command::Flush { chunk: sealed.chunk, tenants })
}
