//! A test per thing that a user can see: the real binary, real sockets, real files, port 0.

mod node;

mod bad_inputs;
mod clients;
mod faults;
mod push;
mod restart;
mod sql;
