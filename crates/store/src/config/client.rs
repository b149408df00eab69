//! Keys of the HTTP client, common to all stores that use a network.

super::config_keys! {
    /// Settings of the HTTP client. Durations are written `30s`, `500ms`, `2m`; switches `true` or `false`.
    ClientKey, "HTTP", prefixes [];
    AllowHttp = "allow_http" []: "accept plain `http://` endpoints (default false)";
    AllowInvalidCertificates = "allow_invalid_certificates" []: "accept any TLS certificate: unsafe, for tests only (default false)";
    ConnectTimeout = "connect_timeout" []: "longest wait for a connection (default 5s)";
    DefaultContentType = "default_content_type" []: "content type of objects written without one";
    DefaultHeaders = "default_headers" [] secret: "headers sent with every request";
    NoSystemCertificates = "disable_system_certificates" ["no_system_certificates"]: "trust only `root_certificate` (default false)";
    Http1Only = "http1_only" []: "speak HTTP/1.1 only (default true: many connections beat one for bulk data)";
    Http2Only = "http2_only" []: "speak HTTP/2 only (default false)";
    Http2KeepAliveInterval = "http2_keep_alive_interval" []: "time between HTTP/2 pings (default off)";
    Http2KeepAliveTimeout = "http2_keep_alive_timeout" []: "longest wait for the answer to an HTTP/2 ping";
    Http2KeepAliveWhileIdle = "http2_keep_alive_while_idle" []: "ping idle HTTP/2 connections too (default false)";
    Http2MaxFrameSize = "http2_max_frame_size" []: "largest HTTP/2 frame in bytes";
    PoolIdleTimeout = "pool_idle_timeout" []: "how long an idle connection is kept (default 90s)";
    PoolMaxIdlePerHost = "pool_max_idle_per_host" []: "most idle connections kept per host (default no limit)";
    ProxyUrl = "proxy_url" [] secret: "proxy for all requests";
    ProxyCaCertificate = "proxy_ca_certificate" []: "PEM certificate of the proxy's authority";
    ProxyExcludes = "proxy_excludes" []: "comma-separated hosts reached without the proxy";
    RandomizeAddresses = "randomize_addresses" []: "connect to the addresses of a host in random order (default true)";
    ReadTimeout = "read_timeout" []: "longest silence while a body is received (default: `timeout`)";
    RootCertificate = "root_certificate" []: "PEM bundle of additional authorities to trust";
    Timeout = "timeout" []: "longest silence of a request: while connecting, sending, waiting or receiving; never cuts a body that is moving (default 30s)";
    UserAgent = "user_agent" []: "the User-Agent header";
}
