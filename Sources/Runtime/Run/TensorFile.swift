import CKernels
import Glibc
import Synchronization
package import Tape

/// Files written so far: two threads' files aside have different names.
private let saves = Atomic<Int>(0)

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
    let suffix = ".\(getpid()).\(saves.wrappingAdd(1, ordering: .relaxed).oldValue).tmp"
    let aside = Array(UnsafeBufferPointer(start: path, count: strlen(path))) + suffix.utf8CString, shown = String(cString: path)
    guard let f = fopen(aside, "wb") else { throw Failure(.io, "tensors: cannot write \(shown): \(String(cString: strerror(errno)))") }
    var length = UInt64(header.utf8.count).littleEndian
    var fine = fwrite(&length, 8, 1, f) == 1
    let bytes = Array(header.utf8)
    fine = fine && fwrite(bytes, 1, bytes.count, f) == bytes.count
    for t in items where t.type.bytes > 0 { fine = fine && fwrite(t.data, 1, t.type.bytes, f) == t.type.bytes }
    fine = fclose(f) == 0 && fine
    guard fine, rename(aside, path) == 0 else {
      let why = String(cString: strerror(errno))
      unlink(aside)
      throw Failure(.io, "tensors: cannot write \(shown): \(why)")
    }
  }

  package init(reading file: UnsafePointer<CChar>) throws(Failure) {
    let path = String(cString: file)
    // Non-blocking: a pipe without a writer would be waited for.
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0, let f = fdopen(descriptor, "rb") else {
      let why = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw Failure(.io, "tensors: cannot read \(path): \(why)")
    }
    defer { fclose(f) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { throw Failure(.io, "tensors: \(path) is no regular file") }
    let size = Int(info.st_size)
    guard size >= 8 else { throw Failure(.io, "tensors: \(path) is too short") }
    guard let p = ck_alloc(size) else { throw Failure(.memory, "tensors: memory for \(size) bytes of \(path) was refused") }
    block = p
    guard fread(p, 1, size, f) == size else { throw Failure(.io, "tensors: \(path) could not be read to its end") }
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
          guard at + 4 < bytes.count, let v = UInt32(String(decoding: bytes[at + 1 ... at + 4], as: UTF8.self), radix: 16), let u = Unicode.Scalar(v) else { return nil }
          units += Array(String(Character(u)).utf8)
          at += 4
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
