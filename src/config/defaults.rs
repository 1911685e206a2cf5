//! What holds where the file says nothing.

use std::time::Duration;

use super::*;

const MIB: u64 = 1 << 20;

impl Default for Config {
    fn default() -> Config {
        Config {
            auth_enabled: false,
            data: "drave-data".into(),
            node_id: 1,
            server: Server::default(),
            sql: Sql::default(),
            peer: Peer::default(),
            cluster: Cluster::default(),
            shard: Shard::default(),
            seal: Seal::default(),
            chunk: Chunk::default(),
            compaction: Compaction::default(),
            storage: Storage::default(),
            memory: Memory::default(),
            limits_config: Limits::default(),
            querier: Querier::default(),
            runtime_config: RuntimeConfig::default(),
            compat: Compat::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            http_listen_address: "127.0.0.1".into(),
            http_listen_port: 3100,
            http_path_prefix: String::new(),
            log_level: "info".into(),
            max_recv_msg_size: ByteSize(100 * MIB),
        }
    }
}

impl Default for Sql {
    fn default() -> Sql {
        Sql {
            listen_address: "127.0.0.1".into(),
            listen_port: 5433,
            memory: ByteSize(256 * MIB),
            memory_per_query: ByteSize(128 * MIB),
            spill: ByteSize(4096 * MIB),
            statement_timeout: Span(Duration::from_secs(60)),
            max_connections: 200,
            users_file: None,
            tls: None,
        }
    }
}

impl Default for Peer {
    fn default() -> Peer {
        Peer {
            listen_address: "127.0.0.1".into(),
            listen_port: 9095,
            advertise_address: None,
            tls: None,
        }
    }
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster { peers: Vec::new(), join: None, zone: String::new(), replicas: 3 }
    }
}

impl Default for Shard {
    fn default() -> Shard {
        Shard { count: 8 }
    }
}

impl Default for Seal {
    fn default() -> Seal {
        Seal {
            raw_bytes: ByteSize(64 * MIB),
            age: Span(Duration::from_secs(30 * 60)),
            memory: ByteSize(256 * MIB),
        }
    }
}

impl Default for Compaction {
    fn default() -> Compaction {
        Compaction { every: Span(Duration::from_secs(60)), target: ByteSize(64 * MIB) }
    }
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk { codec: "zstd".into() }
    }
}

impl Default for Storage {
    fn default() -> Storage {
        Storage {
            bucket: None,
            endpoint: None,
            region: None,
            disk: DiskMarks::default(),
            wal_max: ByteSize(1024 * MIB),
            erase_after: Span(Duration::from_secs(2 * 60 * 60)),
            sweep_every: Span(Duration::from_secs(6 * 60 * 60)),
        }
    }
}

impl Default for DiskMarks {
    fn default() -> DiskMarks {
        DiskMarks { high: 0.95, low: 0.9 }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            queries: ByteSize(512 * MIB),
            chunk_indexes: ByteSize(64 * MIB),
            pushes: ByteSize(256 * MIB),
            pushes_per_tenant: ByteSize(128 * MIB),
        }
    }
}
