//! A test per thing that a user can see: the real binary, real sockets, real files, port 0.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and wait for processes")]

mod node;

mod bad_inputs;
mod clients;
mod cluster;
mod cursors;
mod detected;
mod dev;
mod editor;
mod faults;
mod grafana;
mod index;
mod limits;
mod otlp;
mod pages;
mod push;
mod readme;
mod restart;
mod sql;
mod tail;
mod ways;
