import Glibc
package import Runtime
package import Tape

/// TensorBoard's event files: TFRecord frames (length, its masked crc32c, data, its masked crc32c) round protobuf messages, written by hand.
package final class Events {
  package private(set) var bytes: [UInt8] = []
  private let table: [UInt32]

  package init(time: Double) {
    table = (0 ..< 256).map { i in (0 ..< 8).reduce(UInt32(i)) { c, _ in c & 1 == 1 ? 0x82F6_3B78 ^ c >> 1 : c >> 1 } }
    var e: [UInt8] = []
    put(&e, 1, double: time)
    put(&e, 3, bytes: Array("brain.Event:2".utf8))
    frame(e)
  }
  package func scalar(_ tag: String, step: Int64, _ value: Double, time: Double) {
    var v: [UInt8] = []
    put(&v, 1, bytes: Array(tag.utf8))
    v.append(2 << 3 | 5)
    little(&v, UInt64(Float(value).bitPattern), 4)
    event(step, v, time)
  }
  /// Buckets grow by a tenth, as TensorBoard's own; at most 1,500 are written, those that hold something and their neighbours.
  package func histogram(_ tag: String, step: Int64, _ values: UnsafeBufferPointer<Double>, time: Double) {
    var limits: [Double] = [], x = 1e-12
    while x < 1e20 {
      limits.append(x)
      x *= 1.1
    }
    limits = limits.reversed().map { -$0 } + [0] + limits + [Double.greatestFiniteMagnitude]
    var counts = [Double](repeating: 0, count: limits.count), low = Double.infinity, high = -Double.infinity, n = 0.0, sum = 0.0, squares = 0.0
    for v in values where v.isFinite {
      var a = 0, b = limits.count - 1
      while a < b {
        let m = (a + b) / 2
        if limits[m] > v { b = m } else { a = m + 1 }
      }
      counts[a] += 1
      (low, high, n, sum, squares) = (min(low, v), max(high, v), n + 1, sum + v, squares + v * v)
    }
    var h: [UInt8] = [], l: [UInt8] = [], c: [UInt8] = []
    put(&h, 1, double: n > 0 ? low : 0)
    put(&h, 2, double: n > 0 ? high : 0)
    put(&h, 3, double: n)
    put(&h, 4, double: sum)
    put(&h, 5, double: squares)
    for i in counts.indices where counts[i] > 0 || i + 1 < counts.count && counts[i + 1] > 0 {
      little(&l, limits[i].bitPattern, 8)
      little(&c, counts[i].bitPattern, 8)
    }
    put(&h, 6, bytes: l)
    put(&h, 7, bytes: c)
    var v: [UInt8] = []
    put(&v, 1, bytes: Array(tag.utf8))
    put(&v, 5, bytes: h)
    event(step, v, time)
  }
  private func event(_ step: Int64, _ value: [UInt8], _ time: Double) {
    var summary: [UInt8] = [], e: [UInt8] = []
    put(&summary, 1, bytes: value)
    put(&e, 1, double: time)
    e.append(2 << 3)
    varint(&e, UInt64(bitPattern: step))
    put(&e, 5, bytes: summary)
    frame(e)
  }
  private func put(_ b: inout [UInt8], _ field: UInt8, double x: Double) {
    b.append(field << 3 | 1)
    little(&b, x.bitPattern, 8)
  }
  private func put(_ b: inout [UInt8], _ field: UInt8, bytes x: [UInt8]) {
    b.append(field << 3 | 2)
    varint(&b, UInt64(x.count))
    b += x
  }
  private func varint(_ b: inout [UInt8], _ x: UInt64) {
    var v = x
    while v > 127 {
      b.append(UInt8(truncatingIfNeeded: v) | 128)
      v >>= 7
    }
    b.append(UInt8(v))
  }
  private func little(_ b: inout [UInt8], _ x: UInt64, _ count: Int) { for i in 0 ..< count { b.append(UInt8(truncatingIfNeeded: x >> UInt64(8 * i))) } }
  private func masked(_ b: [UInt8]) -> UInt64 {
    var c: UInt32 = 0xFFFF_FFFF
    for x in b { c = table[Int((c ^ UInt32(x)) & 255)] ^ c >> 8 }
    c = ~c
    return UInt64((c >> 15 | c << 17) &+ 0xA282_EAD8)
  }
  private func frame(_ data: [UInt8]) {
    var head: [UInt8] = []
    little(&head, UInt64(data.count), 8)
    bytes += head
    little(&bytes, masked(head), 4)
    bytes += data
    little(&bytes, masked(data), 4)
  }
  package func save(_ path: UnsafePointer<CChar>) throws(Failure) { try saveBytes(path, bytes, "events") }
}

/// Aside, then renamed.
package func saveBytes(_ path: UnsafePointer<CChar>, _ bytes: [UInt8], _ what: String) throws(Failure) {
  let done: Result<Void, Failure> = bytes.withUnsafeBytes { b in Result { () throws(Failure) in try File.write(path, what: what, [b]) } }
  try done.get()
}

extension Report {
  /// Every series whose places are whole numbers as scalars by step; the others by their order.
  package func events(time: Double) -> Events {
    let e = Events(time: time)
    for s in sections {
      for case .chart(let c) in s.items where c.kind != .rows {
        for one in c.series {
          let whole = one.x.count == one.y.count && one.x.allSatisfy { $0 == $0.rounded() && abs($0) < 1e15 }
          for i in one.y.indices { e.scalar(s.title + "/" + c.title + (c.series.count > 1 ? "/" + one.name : ""), step: whole ? Int64(one.x[i]) : Int64(i), one.y[i], time: time) }
        }
      }
    }
    return e
  }
}
