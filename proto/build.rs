//! Generates Rust from the `.proto` files, without a system `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["drave/node.proto", "drave/raft.proto", "drave/scan.proto", "loki/push.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    tonic_prost_build::configure()
        // Commands are large: they are cut out of the buffer they came in, not copied.
        .bytes(".drave.raft.v1")
        .bytes(".drave.node.v1.MirrorRow")
        .bytes(".drave.node.v1.MirrorCommand")
        .bytes(".drave.node.v1.ScanRequest")
        .bytes(".drave.node.v1.ScanPart")
        .bytes(".drave.scan.v1.Part")
        .bytes(".drave.scan.v1.SeriesPart")
        .bytes(".drave.scan.v1.RowsPart")
        .compile_fds(descriptors)?;
    Ok(())
}
