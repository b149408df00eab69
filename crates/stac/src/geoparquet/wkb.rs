//! GeoJSON geometries as well-known binary (OGC 06-103r4, ISO 13249-3), and back.

use serde_json::{Value, json};

/// Names of GeoJSON by the code of their type.
const NAMES: [&str; 7] = [
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
];

/// Deepest nesting of collections that is read: RFC 7946 advises against any.
const DEEPEST: usize = 16;

/// The binary form of a geometry; `None` when it is none.
pub(super) fn write(geometry: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write_into(geometry, &mut out)?;
    Some(out)
}

/// How metadata names the type: `Polygon`, or `Point Z` with a third coordinate.
pub(super) fn type_name(geometry: &Value) -> Option<String> {
    let name = geometry.get("type")?.as_str()?;
    Some(if has_z(geometry) { format!("{name} Z") } else { name.to_owned() })
}

/// Whether any position has a third number.
fn has_z(geometry: &Value) -> bool {
    fn deep(value: &Value) -> bool {
        match value.as_array() {
            Some(values) if values.first().is_some_and(Value::is_number) => values.len() > 2,
            Some(values) => values.iter().any(deep),
            None => false,
        }
    }
    match geometry.get("geometries").and_then(Value::as_array) {
        Some(parts) => parts.iter().any(has_z),
        None => geometry.get("coordinates").is_some_and(deep),
    }
}

fn write_into(geometry: &Value, out: &mut Vec<u8>) -> Option<()> {
    let name = geometry.get("type")?.as_str()?;
    let code = NAMES.iter().position(|known| *known == name)?;
    let z = has_z(geometry);
    let coordinates = geometry.get("coordinates");
    head(code, z, out);
    match code {
        0 => position(coordinates?, z, out),
        1 => positions(coordinates?, z, out),
        2 => rings(coordinates?, z, out),
        3..=5 => {
            let parts = coordinates?.as_array()?;
            count(parts.len(), out)?;
            parts.iter().try_for_each(|part| {
                head(code - 3, z, out);
                match code {
                    3 => position(part, z, out),
                    4 => positions(part, z, out),
                    _ => rings(part, z, out),
                }
            })
        }
        _ => {
            let parts = geometry.get("geometries")?.as_array()?;
            count(parts.len(), out)?;
            parts.iter().try_for_each(|part| write_into(part, out))
        }
    }
}

/// Byte order (little endian) and type; ISO adds a thousand for a third coordinate.
fn head(code: usize, z: bool, out: &mut Vec<u8>) {
    out.push(1);
    let code = code as u32 + 1 + if z { 1000 } else { 0 };
    out.extend_from_slice(&code.to_le_bytes());
}

fn count(count: usize, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    Some(())
}

/// One position. An empty one is written as not-a-number, as is customary.
fn position(value: &Value, z: bool, out: &mut Vec<u8>) -> Option<()> {
    let numbers = value.as_array()?;
    for at in 0..if z { 3 } else { 2 } {
        let number = match numbers.get(at) {
            Some(number) => number.as_f64()?,
            None if at == 2 || numbers.is_empty() => f64::NAN,
            None => return None,
        };
        out.extend_from_slice(&number.to_le_bytes());
    }
    Some(())
}

fn positions(value: &Value, z: bool, out: &mut Vec<u8>) -> Option<()> {
    let values = value.as_array()?;
    count(values.len(), out)?;
    values.iter().try_for_each(|value| position(value, z, out))
}

fn rings(value: &Value, z: bool, out: &mut Vec<u8>) -> Option<()> {
    let values = value.as_array()?;
    count(values.len(), out)?;
    values.iter().try_for_each(|value| positions(value, z, out))
}

/// The geometry of a binary form; `None` when it is not well-formed.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { bytes, little: true, dimensions: 2 };
    let geometry = reader.geometry(0)?;
    reader.bytes.is_empty().then_some(geometry)
}

struct Reader<'a> {
    bytes: &'a [u8],
    little: bool,
    dimensions: usize,
}

impl<'a> Reader<'a> {
    fn geometry(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        let code = self.head()?;
        let name = NAMES.get(code)?;
        let coordinates = match code {
            0 => self.position()?,
            1 => self.positions()?,
            2 => self.rings()?,
            3..=5 => {
                let mut parts = Vec::new();
                for _ in 0..self.count()? {
                    let part = self.head().filter(|part| *part == code - 3)?;
                    parts.push(match part {
                        0 => self.position()?,
                        1 => self.positions()?,
                        _ => self.rings()?,
                    });
                }
                Value::Array(parts)
            }
            _ => {
                let mut parts = Vec::new();
                for _ in 0..self.count()? {
                    parts.push(self.geometry(depth + 1)?);
                }
                return Some(json!({"type": name, "geometries": parts}));
            }
        };
        Some(json!({"type": name, "coordinates": coordinates}))
    }

    /// The type, from 0. Both ways to say that there is a third coordinate are in use: ISO's thousands and PostGIS's bits.
    fn head(&mut self) -> Option<usize> {
        self.little = match self.take(1)?[0] {
            0 => false,
            1 => true,
            _ => return None,
        };
        let code = self.number()?;
        let (z, m, srid) = (code & 0x8000_0000, code & 0x4000_0000, code & 0x2000_0000);
        let code = code & 0x1fff_ffff;
        self.dimensions = 2
            + usize::from(z != 0 || matches!(code / 1000, 1 | 3))
            + usize::from(m != 0 || matches!(code / 1000, 2 | 3));
        if srid != 0 {
            self.number()?;
        }
        usize::try_from(code % 1000).ok()?.checked_sub(1)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let little = self.little;
        let bytes: [u8; 4] = self.take(4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// A number of parts, each of which takes some bytes: a lie about it ends here.
    fn count(&mut self) -> Option<usize> {
        let count = self.number()? as usize;
        (count <= self.bytes.len()).then_some(count)
    }

    fn position(&mut self) -> Option<Value> {
        let mut numbers = Vec::with_capacity(self.dimensions);
        for _ in 0..self.dimensions {
            let little = self.little;
            let bytes: [u8; 8] = self.take(8)?.try_into().ok()?;
            let number = if little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
            // Not-a-number stands for a coordinate that is not there.
            if let Some(number) = serde_json::Number::from_f64(number) {
                numbers.push(Value::Number(number));
            }
        }
        Some(Value::Array(numbers))
    }

    fn positions(&mut self) -> Option<Value> {
        (0..self.count()?).map(|_| self.position()).collect::<Option<_>>().map(Value::Array)
    }

    fn rings(&mut self) -> Option<Value> {
        (0..self.count()?).map(|_| self.positions()).collect::<Option<_>>().map(Value::Array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometries_are_read_back() {
        let square = json!([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.5], [0.0, 0.0]]]);
        for geometry in [
            json!({"type": "Point", "coordinates": [7.5, 51.25]}),
            json!({"type": "Point", "coordinates": [7.5, 51.25, 100.0]}),
            json!({"type": "LineString", "coordinates": [[0.0, 1.0], [2.0, 3.0]]}),
            json!({"type": "Polygon", "coordinates": square}),
            json!({"type": "MultiPoint", "coordinates": [[0.0, 1.0], [2.0, 3.0]]}),
            json!({"type": "MultiLineString", "coordinates": [[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]]}),
            json!({"type": "MultiPolygon", "coordinates": [square, square]}),
            json!({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1.0, 2.0]}]}),
        ] {
            let bytes = write(&geometry).unwrap();
            assert_eq!(read(&bytes).as_ref(), Some(&geometry));
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), None, "cut at {end}");
            }
        }
        assert_eq!(write(&json!({"type": "Circle"})), None);
    }

    #[test]
    fn other_dialects_are_read() {
        // `POINT Z (1 2 3)` with PostGIS's bits and a reference system, big endian.
        let mut bytes = vec![0];
        bytes.extend_from_slice(&0xa000_0001u32.to_be_bytes());
        bytes.extend_from_slice(&4326u32.to_be_bytes());
        [1.0f64, 2.0, 3.0].iter().for_each(|n| bytes.extend_from_slice(&n.to_be_bytes()));
        assert_eq!(read(&bytes), Some(json!({"type": "Point", "coordinates": [1.0, 2.0, 3.0]})));
    }
}
