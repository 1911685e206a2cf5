//! A test per thing that a user can see: the real binary, real sockets, real files, port 0.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and wait for processes")]

mod node;

mod access;
mod bad_inputs;
mod clients;
mod cluster;
mod compaction;
mod cursors;
mod detected;
mod dev;
mod editor;
mod faults;
mod filters;
mod footprint;
mod grafana;
mod index;
mod languages;
mod limits;
mod metrics;
mod otlp;
mod overload;
mod pages;
mod push;
mod random;
mod readme;
mod remote;
mod restart;
mod sql;
mod sql_in;
mod strangers;
mod tail;
mod tenants;
mod tls;
mod ways;
