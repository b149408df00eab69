mod cloud;
mod conformance;
mod embedded;
mod loopback;
mod model;
mod operations;
mod profiles;
mod services;
