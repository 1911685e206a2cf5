//! Sizes of a shard on another node.

use std::sync::Arc;

use bytes::Bytes;
use drave_proto::scan as proto;
use prost::Message;

use super::{Identity, Measure, Params, Part, Size, gather};
use crate::query::Error;
use crate::query::logs::Pairs;
use crate::query::remote::{Job, bad, in_parts, malformed};
use crate::scan::Selection;
use crate::scan::remote::{Malformed, from_pairs, to_pairs};

/// What another node is told.
pub(super) fn asked(params: &Params) -> proto::Measure {
    let (identity, names) = match &params.identity {
        Identity::Stream => (0, &[][..]),
        Identity::Labels { names, all: false } => (1, &names[..]),
        Identity::Labels { names, all: true } => (2, &names[..]),
        Identity::Names(None) => (3, &[][..]),
        Identity::Names(Some(names)) => (4, &names[..]),
    };
    proto::Measure {
        step: params.step,
        identity,
        names: names.to_vec(),
        rows_max: params.rows_max as u64,
    }
}

/// Answers with what this shard holds.
pub(in crate::query) async fn answer(job: &Job, asked: proto::Measure) -> Result<(), Error> {
    let names = asked.names;
    let identity = match asked.identity {
        0 => Identity::Stream,
        1 => Identity::Labels { names, all: false },
        2 => Identity::Labels { names, all: true },
        3 => Identity::Names(None),
        4 => Identity::Names(Some(names)),
        _ => return Err(bad("rows of a kind that there is not")),
    };
    let Selection::Selector(selector) = job.request.selection.clone() else {
        return Err(bad("streams where a selector is wanted"));
    };
    if asked.step.is_some_and(|step| step < 1) {
        return Err(bad("a step of no length"));
    }
    let params = Params {
        selector,
        range: job.request.range.clone(),
        step: asked.step,
        identity,
        rows_max: usize::try_from(asked.rows_max).unwrap_or(usize::MAX),
    };
    let measure = Arc::new(Measure { params });
    let total = gather(&job.scanner, &job.snapshot, &job.request, &measure, &job.stats).await?;
    job.send_all(move || parts(total)).await;
    Ok(())
}

fn parts(total: Part) -> Vec<Vec<u8>> {
    let rows = total.rows.into_iter().map(|(pairs, steps)| proto::MeasuredRow {
        pairs: from_pairs(pairs),
        steps: steps
            .into_iter()
            .map(|(end, Size { chunks, entries, bytes })| proto::MeasuredStep {
                end,
                chunks,
                entries,
                bytes,
            })
            .collect(),
    });
    let parts = in_parts(rows, Message::encoded_len);
    parts.into_iter().map(|rows| proto::MeasurePart { rows }.encode_to_vec()).collect()
}

/// Takes a part of such an answer in.
pub(super) fn add(total: &mut Part, part: Bytes) -> Result<(), Error> {
    let part = proto::MeasurePart::decode(part).map_err(|_| malformed("no sizes"))?;
    for row in part.rows {
        let pairs: Pairs = to_pairs(row.pairs).map_err(|Malformed(what)| malformed(what))?;
        for proto::MeasuredStep { end, chunks, entries, bytes } in row.steps {
            total.add(&pairs, end, Size { chunks, entries, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_as_they_went() {
        let mut part = Part::default();
        let row = |pairs: &[(&str, &str)]| -> Pairs {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let size = |n| Size { chunks: n, entries: 2 * n, bytes: 3 * n };
        part.add(&row(&[]), 10, size(1));
        part.add(&row(&[("a", "1"), ("b", "")]), -10, size(u64::MAX / 8));
        part.add(&row(&[("a", "1"), ("b", "")]), 20, size(3));
        let expected = part.rows.clone();
        let mut read = Part::default();
        for part in parts(part) {
            add(&mut read, part.into()).expect("a good part");
        }
        assert_eq!((read.rows, read.n_cells), (expected, 3));
        let odd = proto::MeasuredRow { pairs: vec!["a".into()], steps: vec![] };
        let odd = proto::MeasurePart { rows: vec![odd] }.encode_to_vec();
        assert!(add(&mut Part::default(), odd.into()).is_err());
        assert!(add(&mut Part::default(), Bytes::from_static(b"\xff")).is_err());
    }
}
