//! `/v1/daemon`, `/v1/cluster`, `/v1/reverse`, `/v1/health` and `/metrics`.

use holdall_ais_wire::action::names;
use holdall_ais_wire::job::JobArgs;
use holdall_ais_wire::{header, query};
use http::Method;
use serde_json::json;

use super::reply::{self, json, not_allowed, ok, set, text};
use super::request::value;
use super::{Body, Reply, Request};
use crate::engine::Severity;
use crate::error::{Error, ErrorKind, Result};
use crate::faults::Count;
use crate::jobs::startable;

pub(super) fn health(request: &Request) -> Result<Reply> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(not_allowed("GET, HEAD"));
    }
    let params = &request.params;
    let info = params.flag(query::CLUSTER_INFO);
    if info && params.flag(query::PRIMARY_READY) {
        return Err(Error::invalid("invalid health request: prr and cii exclude each other"));
    }
    let mut reply = if info { json(&request.engine.cluster_info())? } else { ok() };
    let uptime = request.engine.counters().uptime().as_nanos().to_string();
    set(&mut reply, header::NODE_UPTIME, &uptime);
    set(&mut reply, header::CLUSTER_UPTIME, &uptime);
    Ok(reply)
}

/// Prometheus' text form.
pub(super) fn metrics(request: &Request) -> Result<Reply> {
    let mut out = String::new();
    for (name, number) in request.engine.counters().all() {
        let metric = name.replace(['.', '-'], "_");
        let kind =
            if name.ends_with(".bps") || name.starts_with("up.") { "gauge" } else { "counter" };
        out.push_str(&format!(
            "# TYPE ais_target_{metric} {kind}\nais_target_{metric}{{node_id=\"{}\"}} {number}\n",
            request.engine.target_id()
        ));
    }
    if let Some(authn) = request.engine.authn() {
        out.push_str("# TYPE holdall_authn_requests counter\n");
        for (result, number) in authn.counts().all() {
            out.push_str(&format!("holdall_authn_requests{{result=\"{result}\"}} {number}\n"));
        }
    }
    if let Some(faults) = request.engine.faults() {
        let counts = faults.counts();
        type Of = fn(&Count) -> u64;
        let series: [(&str, Of); 2] =
            [("matched", |count| count.matched), ("injected", |count| count.injected)];
        for (series, number) in series {
            out.push_str(&format!("# TYPE holdall_faults_{series} counter\n"));
            for count in &counts {
                let (name, kind, number) = (&count.name, count.kind, number(count));
                out.push_str(&format!(
                    "holdall_faults_{series}{{name=\"{name}\",kind=\"{kind}\"}} {number}\n"
                ));
            }
        }
    }
    let mut reply = ok();
    set(&mut reply, http::header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    *reply.body_mut() = Body::whole(out);
    Ok(reply)
}

pub(super) fn daemon(request: &Request) -> Result<Reply> {
    if request.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    let engine = &request.engine;
    match request.params.get(query::WHAT) {
        "smap" => json(&engine.smap()),
        "bmd" => json(&engine.bmd()),
        "snode" => json(&engine.smap().proxy_si),
        "config" => json(&engine.config()),
        what => node(request, what),
    }
}

/// What proxies and targets tell alike.
fn node(request: &Request, what: &str) -> Result<Reply> {
    let engine = &request.engine;
    match what {
        "node_status" | "status" => json(&engine.node_status()?),
        "node_stats" => {
            let status = engine.node_status()?;
            json(
                &json!({"snode": status.snode, "tracker": status.tracker, "capacity": status.capacity}),
            )
        }
        "sysinfo" => json(&engine.node_status()?.sys_info),
        "snode" => json(&engine.target_node()),
        "config" => json(&engine.config()),
        "mountpaths" => {
            json(&json!({"available": [engine.mountpath()], "waiting_dd": [], "disabled": []}))
        }
        "metrics" => {
            let kind = |name: &String| if name.ends_with(".n") { "counter" } else { "total" };
            let all = engine.counters().all();
            json(
                &all.keys()
                    .map(|name| (name.clone(), kind(name)))
                    .collect::<std::collections::BTreeMap<_, _>>(),
            )
        }
        what => Err(Error::invalid(format!(
            "invalid '/v1/daemon' request: unrecognized 'what={what}' query"
        ))),
    }
}

pub(super) fn reverse(request: &Request, rest: &str) -> Result<Reply> {
    if request.method != Method::GET || rest.trim_end_matches('/') != "daemon" {
        return Err(Error::invalid(format!(
            "invalid reverse request {} {}",
            request.method, request.path
        )));
    }
    let engine = &request.engine;
    let node_id = request.header(header::NODE_ID);
    let identity = engine.identity();
    if node_id.is_empty() {
        return Err(Error::invalid("missing node ID: set the Ais-Node-Id header"));
    }
    if node_id != identity.target && node_id != identity.proxy {
        return Err(Error::new(ErrorKind::NotFound, format!("node {node_id} does not exist"))
            .with_code("ErrNotFound"));
    }
    match request.params.get(query::WHAT) {
        "log" => log(request),
        what => node(request, what),
    }
}

fn log(request: &Request) -> Result<Reply> {
    let engine = &request.engine;
    let severity = Severity::parse(request.params.get(query::SEVERITY))?;
    if !request.params.flag(query::ALL) {
        return Ok(text(engine.log().text(severity)));
    }
    let mut reply = ok();
    set(&mut reply, http::header::CONTENT_TYPE, "application/gzip");
    *reply.body_mut() = Body::whole(engine.log().archive(severity, engine.target_id())?);
    Ok(reply)
}

pub(super) async fn cluster(mut request: Request) -> Result<Reply> {
    match request.method {
        Method::GET => query_cluster(&mut request).await,
        Method::PUT if request.path.trim_end_matches('/') != "/v1/cluster" => {
            attach(&request).await
        }
        Method::PUT => act(&mut request).await,
        _ => Err(not_allowed("GET, PUT")),
    }
}

async fn query_cluster(request: &mut Request) -> Result<Reply> {
    let engine = request.engine.clone();
    let what = request.params.get(query::WHAT).to_owned();
    let target = engine.target_id();
    match what.as_str() {
        "status" | "status_all" | "running_all" | "qryxstats" => {
            let args: JobArgs = request.json_or_none().await?.unwrap_or_default();
            let jobs = engine.jobs();
            match what.as_str() {
                "status" => json(&jobs.status(&args)?),
                "status_all" => json(&jobs.status_all(&args)),
                "running_all" => json(&jobs.running(&args)),
                _ => json(&json!({target: jobs.snapshots(&args)?})),
            }
        }
        "smap" => json(&engine.smap()),
        "bmd" => json(&engine.bmd()),
        "snode" => json(&engine.smap().proxy_si),
        "cluster_config" => json(&engine.config()),
        "node_stats" => {
            let status = engine.node_status()?;
            let stats = json!({"snode": status.snode, "tracker": status.tracker, "capacity": status.capacity});
            json(&json!({"proxy": stats, "target": {target: stats}}))
        }
        "sysinfo" => {
            json(&json!({"proxy": {}, "target": {target: engine.node_status()?.sys_info}}))
        }
        "remote" => json(&engine.remote_clusters().await?),
        "target_ips" => Ok(text(engine.target_node().public_net.node_ip_addr)),
        "mountpaths" => {
            let paths =
                json!({"available": [engine.mountpath()], "waiting_dd": [], "disabled": []});
            json(&json!({"targets": {target: paths}}))
        }
        what => Err(Error::invalid(format!("unexpected query [what={what}]"))),
    }
}

/// `/v1/cluster/attach` and `/v1/cluster/detach`: other clusters, as `?what=remote&ALIAS=URL`.
async fn attach(request: &Request) -> Result<Reply> {
    let path = request.path.trim_end_matches('/');
    let attach = match path.rsplit('/').next() {
        Some("attach") => true,
        Some("detach") => false,
        _ => return Err(Error::invalid(format!("invalid request URI: 'PUT {path}'"))),
    };
    if request.params.get(query::WHAT) != "remote" {
        return Err(Error::invalid(format!("invalid request '{path}': expecting what=remote")));
    }
    let engine = &request.engine;
    for (alias, url) in request.params.others(&[query::WHAT]) {
        match attach {
            true => engine.attach_cluster(alias, url).await?,
            // Clients name the alias, or say `alias=NAME`.
            false if alias == "alias" => engine.detach_cluster(url).await?,
            false => engine.detach_cluster(alias).await?,
        }
    }
    Ok(ok())
}

async fn act(request: &mut Request) -> Result<Reply> {
    let message = request.action().await?;
    let engine = &request.engine;
    match message.action.as_str() {
        names::STOP => {
            engine.jobs().stop(&value(&message)?)?;
            Ok(ok())
        }
        names::START => {
            let args: JobArgs = value(&message)?;
            let (kind, buckets) = startable(&args)?;
            for bck in &buckets {
                super::remote::admit_named(request, bck).await?;
            }
            let force = request.params.flag(query::FORCE);
            engine.start_job(kind, &buckets, &message.name, force).map(reply::text)
        }
        action => Err(Error::invalid(format!("invalid action \"{action}\""))),
    }
}
