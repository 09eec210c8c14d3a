import CKernels

/// The binary format of archives: docs/archive.md. Everything is little-endian; sections begin at multiples of 64 bytes, in the order of their
/// kinds, one after the other, with zeros between, so that there is one file for one archive and no byte that nobody looks at.
enum Format {
  /// Not text (89), not cut to 7 bits, line ends not exchanged, not shown by `type`.
  static let magic: [UInt8] = [0x89, 0x43, 0x4D, 0x42, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Files without labels are of version 1, those with them of version 2.
  static let version: UInt32 = 1, labelled: UInt32 = 2
  /// Magic, version, number of sections, bytes of the file, checksum of what stands before it and of the table.
  static let header = 32
  /// Kind, number among its kind, offset, bytes, checksum.
  static let entry = 32
  /// The type of what has several: a tuple.
  static let tuple = UInt32.max

  enum Section: Int, CaseIterable {
    case operators, types, attributes, data, tape, functions, notes, labels
    var tag: String {
      switch self {
      case .operators: "OPER"
      case .types: "TYPE"
      case .attributes: "ATTR"
      case .data: "DATA"
      case .tape: "TAPE"
      case .functions: "FUNC"
      case .notes: "NOTE"
      case .labels: "LABL"
      }
    }
    var word: UInt32 { tag.utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
  }

  static func up(_ n: Int) -> Int { (n + 63) & ~63 }

  /// Every step is a bijection of the state for a given word and of the word for a given state, so a change of one word of eight bytes is
  /// always seen, and others but once in 2^64.
  static func checksum(_ p: UnsafeRawBufferPointer, _ seed: UInt64 = 0) -> UInt64 {
    let k: UInt64 = 0x9E37_79B9_7F4A_7C15, words = p.count / 8
    @inline(__always) func word(_ i: Int) -> UInt64 { UInt64(littleEndian: p.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)) }
    @inline(__always) func step(_ h: UInt64, _ w: UInt64) -> UInt64 {
      let m = (h ^ w) &* k
      return m ^ m >> 29
    }
    var a = seed, b = ~seed, c = seed &+ k, d = seed ^ k, i = 0
    while i + 4 <= words {
      a = step(a, word(i))
      b = step(b, word(i + 1))
      c = step(c, word(i + 2))
      d = step(d, word(i + 3))
      i += 4
    }
    while i < words {
      a = step(a, word(i))
      i += 1
    }
    var rest: UInt64 = 0
    for j in words * 8 ..< p.count { rest |= UInt64(p[j]) << UInt64(8 * (j - words * 8)) }
    return [b, c, d, rest, UInt64(p.count)].reduce(a, step)
  }
}

/// A section being written: words of 32 bits.
final class Words {
  private var buffer = Buffer<UInt32>()
  var count: Int { buffer.count }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: buffer.base, count: buffer.count * 4) }

  @inline(__always) func add(_ w: UInt32) throws(Failure) { if !buffer.append(w.littleEndian) { throw refused } }
  func add(_ n: Int) throws(Failure) { try add(UInt32(truncatingIfNeeded: n)) }
  func add(long v: UInt64) throws(Failure) {
    try add(UInt32(truncatingIfNeeded: v))
    try add(UInt32(truncatingIfNeeded: v >> 32))
  }
  /// Bytes, then zeros to a whole word.
  func add(_ s: String) throws(Failure) {
    let u = Array(s.utf8)
    guard u.count < 1 << 30 else { throw Failure(.invalid, "archive: a text of \(u.count) bytes") }
    try add(u.count)
    for i in stride(from: 0, to: u.count, by: 4) {
      var w: UInt32 = 0
      for j in i ..< min(i + 4, u.count) { w |= UInt32(u[j]) << UInt32(8 * (j - i)) }
      try add(w)
    }
  }
}

let refused = Failure(.memory, "archive: memory was refused")

/// A section being read. Nothing is read past its end; every sentence says where it stopped.
struct Section {
  let bytes: UnsafeRawBufferPointer
  /// Where it lies in the file.
  let offset: Int
  let name: String
  private(set) var at = 0

  init(_ bytes: UnsafeRawBufferPointer, offset: Int, name: String) {
    self.bytes = bytes
    self.offset = offset
    self.name = name
  }

  var left: Int { bytes.count - at }
  func wrong(_ why: String) -> Failure { Failure(.io, "section \(name), byte \(offset + at): \(why)") }

  @inline(__always) func peek(_ i: Int) -> UInt32 { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 4 * i, as: UInt32.self)) }
  @inline(__always) func has(_ words: Int) -> Bool { words <= (bytes.count - at) >> 2 }
  mutating func move(to byte: Int) { at = byte }
  @inline(__always) mutating func skip(_ words: Int) { at += 4 * words }

  mutating func word() throws(Failure) -> UInt32 {
    guard has(1) else { throw wrong("the section ends where a number is wanted") }
    defer { at += 4 }
    return peek(0)
  }
  mutating func long() throws(Failure) -> UInt64 {
    guard has(2) else { throw wrong("the section ends where a number is wanted") }
    defer { at += 8 }
    return UInt64(peek(0)) | UInt64(peek(1)) << 32
  }
  /// A number of things that take at least `size` words each: never more than there is room for.
  mutating func count(_ what: String, _ size: Int) throws(Failure) -> Int {
    let n = Int(try word())
    guard n <= (left >> 2) / size else { throw wrong("\(n) \(what) do not fit into the \(left) bytes left") }
    return n
  }
  mutating func text() throws(Failure) -> String {
    let n = Int(try word()), padded = (n + 3) >> 2
    guard has(padded) else { throw wrong("a text of \(n) bytes does not fit into the \(left) left") }
    let raw = UnsafeRawBufferPointer(rebasing: bytes[at ..< at + n])
    guard !raw.contains(0), let s = String(validating: raw, as: UTF8.self) else { throw wrong("a text is not UTF-8") }
    for j in n ..< padded * 4 where bytes[at + j] != 0 { throw wrong("a text is followed by other than zeros") }
    at += padded * 4
    return s
  }
  func end() throws(Failure) { if left != 0 { throw wrong("\(left) bytes are left over") } }
}
