//! What names a stream, in bytes: tenants and label sets.

use super::{Malformed, Reader, put_text, put_varint};
use crate::model::{Labels, Tenant};

/// Appends a label set.
pub(crate) fn put_labels(labels: &Labels, out: &mut Vec<u8>) {
    put_varint(out, labels.len() as u64);
    for (name, value) in labels.iter() {
        put_text(out, name);
        put_text(out, value);
    }
}

/// Reads a label set: names sorted, each once, no value empty.
pub(crate) fn get_labels(reader: &mut Reader<'_>) -> Result<Labels, Malformed> {
    let n = reader.count_here("number of labels")?;
    // A pair takes two bytes at least: what is claimed is never allocated for by more than that.
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(n.min(64));
    for _ in 0..n {
        let name = reader.text("label name")?;
        let in_order = pairs.last().is_none_or(|(before, _)| *before < name);
        reader.check(in_order, "order of labels")?;
        let value = reader.text("label value")?;
        reader.check(!value.is_empty(), "label value")?;
        pairs.push((name, value));
    }
    let here = reader.malformed("labels");
    Labels::from_pairs(pairs).map_err(|_| here)
}

/// Reads a tenant's id.
pub(crate) fn get_tenant(reader: &mut Reader<'_>) -> Result<Tenant, Malformed> {
    let here = reader.malformed("tenant");
    Tenant::parse(reader.text("tenant")?).map_err(|_| here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_come_back() {
        let check = |pairs: &[(&str, &str)]| {
            let labels = Labels::from_pairs(pairs.iter().copied()).expect("unique");
            let mut out = Vec::new();
            put_labels(&labels, &mut out);
            let mut reader = Reader::new(&out);
            assert_eq!(get_labels(&mut reader), Ok(labels));
            assert_eq!(reader.end("end"), Ok(()));
            for cut in 0..out.len() {
                assert!(get_labels(&mut Reader::new(&out[..cut])).is_err());
            }
        };
        check(&[]);
        check(&[("app", "web"), ("env", "prod"), ("é", "\0")]);
    }

    #[test]
    fn refuses_what_labels_never_are() {
        let check = |pairs: &[(&str, &str)], what: &str| {
            let mut out = vec![u8::try_from(pairs.len()).expect("few")];
            for (name, value) in pairs {
                put_text(&mut out, name);
                put_text(&mut out, value);
            }
            let error = get_labels(&mut Reader::new(&out)).expect_err("not a label set");
            assert_eq!(error.what, what);
        };
        check(&[("b", "1"), ("a", "2")], "order of labels");
        check(&[("a", "1"), ("a", "2")], "order of labels");
        check(&[("a", "")], "label value");
    }
}
