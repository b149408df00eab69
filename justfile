# What CI does, one recipe for each check. `just` lists them.

_:
    @just --list --unsorted

# build, mirror a dataset to a store and back, show what happened
demo *arguments:
    scripts/demo {{arguments}}

# every check, with the services that can be had
test *arguments:
    scripts/test {{arguments}}

# every check but those on real services
fast:
    scripts/test --fast

# exactly what CI runs
ci:
    .ci/run

# one check: format, ruff, spelling, clippy, rustdoc, rust, extension, stubs, python, sdk or tools
check +names:
    scripts/test --only {{names}}

# put the formatting right
format:
    cargo fmt --all
    .venv/bin/ruff format python services scripts examples
    .venv/bin/ruff check --fix python services scripts examples

# measure against obstore; needs a release build of the extension
bench *arguments:
    .venv/bin/maturin develop --release --locked -m python/Cargo.toml
    .venv/bin/python -m bench {{arguments}}

# start, stop and look at the services for tests
services command="status" *arguments:
    services/{{command}} {{arguments}}
