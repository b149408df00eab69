mod conformance;
mod embedded;

mod model;
mod operations;
mod services;
