//! Objects in a bucket, through the `object_store` crate.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::{Error, Listed, Put};
use crate::model::Timestamp;

pub(super) struct Bucket {
    store: Box<dyn ObjectStore>,
    prefix: String,
}

impl Bucket {
    /// Keys come from the environment (`AWS_ACCESS_KEY_ID`, ...), never from the configuration.
    pub(super) fn open(
        url: &str,
        endpoint: Option<&str>,
        region: Option<&str>,
    ) -> Result<Bucket, Error> {
        let Some(place) = url.strip_prefix("s3://") else {
            return Err(Error::Config(format!("'{url}' is no s3://bucket/prefix")));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        let store = builder.build().map_err(|error| Error::Config(error.to_string()))?;
        Ok(Bucket { store: Box::new(store), prefix: prefix.trim_matches('/').into() })
    }

    pub(super) async fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, Error> {
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&self.path(name), bytes.into(), options).await {
            Ok(_) => Ok(Put::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Existed),
            Err(error) => Err(explain(name, &error)),
        }
    }

    pub(super) async fn read(
        &self,
        name: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Error> {
        let read = self.store.get_ranges(&self.path(name), &ranges).await;
        read.map_err(|error| explain(name, &error))
    }

    pub(super) async fn length(&self, name: &str) -> Result<u64, Error> {
        let meta = self.store.head(&self.path(name)).await;
        Ok(meta.map_err(|error| explain(name, &error))?.size)
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(explain(name, &error)),
        }
    }

    pub(super) fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let prefix = Path::from(self.prefix.as_str());
        let below = prefix.clone();
        let found = self.store.list(Some(&prefix)).filter_map(move |found| {
            let listed = match found {
                Ok(meta) => named_below(&below, &meta.location).map(|name| {
                    let written = meta.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX);
                    Ok(Listed { name, written: Timestamp(written) })
                }),
                Err(error) => Some(Err(explain("list", &error))),
            };
            std::future::ready(listed)
        });
        found.boxed()
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }
}

/// The name of an object, less the prefix of the bucket.
fn named_below(prefix: &Path, location: &Path) -> Option<String> {
    let parts: Vec<String> =
        location.prefix_match(prefix)?.map(|part| part.as_ref().to_owned()).collect();
    Some(parts.join("/"))
}

fn explain(name: &str, error: &object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::Missing { name: name.into() },
        other => Error::Storage { name: name.into(), reason: other.to_string() },
    }
}
