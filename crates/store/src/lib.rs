//! Object stores behind one interface: URLs, configuration, HTTP transport, listing and transfers.
