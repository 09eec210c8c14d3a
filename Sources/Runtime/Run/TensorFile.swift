import CKernels
import Glibc
package import Tape

/// Named arrays in a file, in the safetensors format: 8 bytes little-endian header length, a JSON header, the data.
package final class Tensors {
  package struct Entry { package let name: String, type: TensorType, data: UnsafeRawPointer }
  package private(set) var entries: [Entry] = []
  private let block: UnsafeMutableRawPointer
  /// Arrays that lie in the file where their elements cannot be read in one piece.
  private var copies: [UnsafeMutableRawPointer] = []

  private static let names: [(DType, String)] = [(.f64, "F64"), (.f32, "F32"), (.f16, "F16"), (.bf16, "BF16"), (.i64, "I64"), (.i32, "I32"), (.bool, "BOOL")]

  deinit {
    ck_free(block)
    for c in copies { ck_free(c) }
  }

  /// Written aside and renamed, so that the file at `path` is whole or untouched.
  /// The path is bytes, as the system takes it.
  package static func save(_ path: UnsafePointer<CChar>, _ items: [(name: String, type: TensorType, data: UnsafeRawPointer)]) throws(Failure) {
    guard Set(items.map(\.name)).count == items.count else { throw Failure(.invalid, "tensors: a name is given twice") }
    var header = "{", offset = 0
    for (i, t) in items.enumerated() {
      let name = names.first { $0.0 == t.type.dtype }?.1 ?? ""
      guard offset < 1 << 56 else { throw Failure(.memory, "tensors: too many bytes for a file") }
      header += (i > 0 ? "," : "") + quoted(t.name) + ":{\"dtype\":\"\(name)\",\"shape\":[\(t.type.shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(offset),\(offset + t.type.bytes)]}"
      offset += t.type.bytes
    }
    header += "}"
    while header.utf8.count % 8 != 0 { header += " " }
    var length = UInt64(header.utf8.count).littleEndian
    let text = Array(header.utf8), data = items.map { UnsafeRawBufferPointer(start: $0.data, count: $0.type.bytes) }
    let done: Result<Void, Failure> = withUnsafeBytes(of: &length) { l in
      text.withUnsafeBytes { t in Result { () throws(Failure) in try File.write(path, what: "tensors", [l, t] + data) } }
    }
    try done.get()
  }

  package init(reading file: UnsafePointer<CChar>) throws(Failure) {
    let path = String(cString: file)
    let bytes = try File.read(file, what: "tensors"), size = bytes.count
    guard let p = bytes.baseAddress else { throw refused }
    block = p
    guard size >= 8 else { throw Failure(.io, "tensors: \(path) is too short") }
    let length = UInt64(littleEndian: p.load(as: UInt64.self))
    guard length <= UInt64(size - 8) else { throw Failure(.io, "tensors: \(path) is truncated: its header is longer than the file") }
    var json = JSON(UnsafeRawBufferPointer(start: p + 8, count: Int(length)))
    guard case .object(let members) = json.parse() else { throw Failure(.io, "tensors: \(path) has no JSON header") }
    let room = size - 8 - Int(length)
    // The header is read: its place makes the data's an aligned one.
    if length % 8 != 0 { memmove(p, p + 8 + Int(length), room) }
    let base = length % 8 != 0 ? p : p + 8 + Int(length)
    for (name, value) in members where name != "__metadata__" {
      guard case .object(let m) = value, case .string(let d)? = m.first(where: { $0.0 == "dtype" })?.1,
            case .integers(let shape)? = m.first(where: { $0.0 == "shape" })?.1, case .integers(let offsets)? = m.first(where: { $0.0 == "data_offsets" })?.1,
            let dtype = Tensors.names.first(where: { $0.1 == d })?.0, let type = TensorType(dtype, checking: shape), offsets.count == 2,
            offsets[0] >= 0, offsets[1] <= room, offsets[1] - offsets[0] == (shape.contains(0) ? 0 : type.bytes) else {
        throw Failure(.io, "tensors: \(path): entry \"\(name)\" is damaged or of an unknown dtype")
      }
      var data = base + offsets[0]
      if offsets[0] % dtype.size != 0 {
        guard let c = ck_alloc(max(type.bytes, 1)) else { throw Failure(.memory, "tensors: memory for \"\(name)\" of \(path) was refused") }
        c.copyMemory(from: data, byteCount: type.bytes)
        copies.append(c)
        data = c
      }
      entries.append(Entry(name: name, type: type, data: UnsafeRawPointer(data)))
    }
  }
}

private func quoted(_ s: String) -> String {
  var r = "\""
  for u in s.unicodeScalars {
    switch u {
    case "\"": r += "\\\""
    case "\\": r += "\\\\"
    case _ where u.value < 0x20:
      let hex = String(u.value, radix: 16)
      r += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: r.unicodeScalars.append(u)
    }
  }
  return r + "\""
}

/// As much JSON as safetensors headers hold: objects, strings, arrays of integers. Depth is bounded by the format.
private struct JSON {
  enum Value { case object([(String, Value)]), string(String), integers([Int]), bad }
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ b: UnsafeRawBufferPointer) { bytes = b }

  private mutating func space() { while at < bytes.count, bytes[at] == 32 || bytes[at] == 10 || bytes[at] == 13 || bytes[at] == 9 { at += 1 } }
  private mutating func take(_ c: UInt8) -> Bool {
    space()
    guard at < bytes.count, bytes[at] == c else { return false }
    at += 1
    return true
  }

  mutating func parse(depth: Int = 0) -> Value {
    space()
    guard at < bytes.count, depth < 4 else { return .bad }
    switch bytes[at] {
    case UInt8(ascii: "{"):
      at += 1
      var members: [(String, Value)] = []
      if take(UInt8(ascii: "}")) { return .object([]) }
      repeat {
        guard let key = string(), take(UInt8(ascii: ":")) else { return .bad }
        let v = parse(depth: depth + 1)
        if case .bad = v { return .bad }
        members.append((key, v))
      } while take(UInt8(ascii: ","))
      return take(UInt8(ascii: "}")) ? .object(members) : .bad
    case UInt8(ascii: "["):
      at += 1
      var list: [Int] = []
      if take(UInt8(ascii: "]")) { return .integers([]) }
      repeat {
        space()
        var n = 0, digits = 0
        while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57, digits < 18 {
          n = n * 10 + Int(bytes[at] - 48)
          at += 1
          digits += 1
        }
        guard digits > 0 else { return .bad }
        list.append(n)
      } while take(UInt8(ascii: ","))
      return take(UInt8(ascii: "]")) ? .integers(list) : .bad
    default: return string().map { .string($0) } ?? .bad
    }
  }

  /// The four digits behind the `u` here; ends at the last one.
  private mutating func hex() -> UInt32? {
    guard at + 4 < bytes.count else { return nil }
    var v: UInt32 = 0
    for c in bytes[at + 1 ... at + 4] {
      switch c {
      case 48 ... 57: v = v << 4 | UInt32(c - 48)
      case 65 ... 70, 97 ... 102: v = v << 4 | UInt32((c | 32) - 87)
      default: return nil
      }
    }
    at += 4
    return v
  }

  private mutating func string() -> String? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    var units: [UInt8] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      if bytes[at] == UInt8(ascii: "\\") {
        at += 1
        guard at < bytes.count else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "n"): units.append(10)
        case UInt8(ascii: "t"): units.append(9)
        case UInt8(ascii: "r"): units.append(13)
        case UInt8(ascii: "b"): units.append(8)
        case UInt8(ascii: "f"): units.append(12)
        case UInt8(ascii: "u"):
          guard var v = hex() else { return nil }
          if v >> 10 == 0xD800 >> 10 {
            // The first half of a pair; the second must follow.
            guard at + 2 < bytes.count, bytes[at + 1] == UInt8(ascii: "\\"), bytes[at + 2] == UInt8(ascii: "u") else { return nil }
            at += 2
            guard let low = hex(), low >> 10 == 0xDC00 >> 10 else { return nil }
            v = 0x10000 + (v & 0x3FF) << 10 + low & 0x3FF
          }
          guard let u = Unicode.Scalar(v) else { return nil }
          units += Array(String(Character(u)).utf8)
        default: units.append(bytes[at])
        }
      } else {
        units.append(bytes[at])
      }
      at += 1
    }
    guard at < bytes.count else { return nil }
    at += 1
    return String(decoding: units, as: UTF8.self)
  }
}
