import CKernels
package import Tape

/// Numbers in memory that may be refused.
package final class Cells<T: BitwiseCopyable> {
  package let p: UnsafeMutablePointer<T>
  package let count: Int
  package init(_ count: Int) throws(Failure) {
    guard count >= 0, count < 1 << 56, let raw = ck_alloc(Swift.max(count * MemoryLayout<T>.stride, 64)) else { throw Failure(.memory, "sparse: memory for \(count) numbers was refused") }
    p = raw.bindMemory(to: T.self, capacity: Swift.max(count, 1))
    self.count = count
  }
  package convenience init(_ count: Int, filling v: T) throws(Failure) {
    try self.init(count)
    p.initialize(repeating: v, count: count)
  }
  package convenience init(_ list: [T]) throws(Failure) {
    try self.init(list.count)
    for i in 0 ..< list.count { p[i] = list[i] }
  }
  deinit { ck_free(p) }
  @inline(__always) package subscript(i: Int) -> T {
    get { p[i] }
    set { p[i] = newValue }
  }
  package var array: [T] { Array(UnsafeBufferPointer(start: p, count: count)) }
}

/// Sets of columns by number, or (`isWords`) 64 columns as bits, which need none of what follows. By number: 0 is empty, 1 ... n are the single columns, others lie in one pool, each ascending. Equal numbers are equal sets; equal
/// sets mostly have equal numbers (unions of the same pair do). Moving elements of a value about then moves numbers only.
final class Sets {
  let n: Int
  private var items = Buffer<Int32>(), starts = Buffer<Int>()
  private let keys: Cells<UInt64>, values: Cells<Int32>
  private let stamps: Cells<Int32>
  private var epoch: Int32 = 0
  private let single: UnsafeMutablePointer<Int32>
  private(set) var refused = false
  let isWords: Bool
  /// Members looked at so far, and how many may be: beyond it the propagation gives up, for words to take over.
  private(set) var touched = 0
  var patience = Int.max
  static let outgrew = "pattern: the sets of what depends on what outgrew memory"
  /// Members of all sets at most: beyond it the propagation gives up.
  static let limit = 1 << 31
  private let mask: Int

  init(columns n: Int, words: Bool = false) throws(Failure) {
    isWords = words
    guard n < Int(Int32.max) / 2 else { throw Failure(.invalid, "sparse: \(n) columns; fewer than 2^30 are taken") }
    self.n = n
    var size = words ? 1 : 1 << 10
    while !words, size < 2 * n, size < 1 << 18 { size *= 2 }
    mask = size - 1
    keys = try Cells(size, filling: 0)
    values = try Cells(size)
    stamps = try Cells(words ? 1 : n + 1, filling: 0)
    single = .allocate(capacity: 2)
    _ = starts.append(0)
  }
  deinit { single.deallocate() }

  func equal(_ a: Int64, _ b: Int64) -> Bool { isWords ? a == b : count(a) == count(b) }
  func count(_ s: Int64) -> Int { isWords ? s.nonzeroBitCount : count(Int32(truncatingIfNeeded: s)) }
  @inline(__always) private func count(_ s: Int32) -> Int { s == 0 ? 0 : Int(s) <= n ? 1 : starts[Int(s) - n] - starts[Int(s) - n - 1] }
  @inline(__always) private func list(_ s: Int32, _ k: Int) -> UnsafePointer<Int32> {
    if Int(s) <= n {
      single[k] = s - 1
      return UnsafePointer(single + k)
    }
    return UnsafePointer(items.base.unsafelyUnwrapped + starts[Int(s) - n - 1])
  }
  /// Valid until the next union.
  func members(_ s: Int64) -> UnsafeBufferPointer<Int32> {
    let s = Int32(truncatingIfNeeded: s)
    return UnsafeBufferPointer(start: s == 0 ? nil : list(s, 0), count: count(s))
  }

  @inline(__always) func union(_ a: Int64, _ b: Int64) -> Int64 {
    if isWords { return a | b }
    if a == b || b == 0 { return a }
    return a == 0 ? b : Int64(joined(Int32(truncatingIfNeeded: min(a, b)), Int32(truncatingIfNeeded: max(a, b))))
  }

  @inline(never) private func joined(_ a: Int32, _ b: Int32) -> Int32 {
    let key = UInt64(UInt32(bitPattern: a)) | UInt64(UInt32(bitPattern: b)) << 32, slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> 40) & mask
    if keys[slot] == key { return values[slot] }
    let i = count(a), j = count(b), first = items.count
    touched += i + j
    guard touched <= patience, first + i + j < Sets.limit, grow(i + j) else { return fail() }
    let x = list(a, 0), y = list(b, 1), out = items.base.unsafelyUnwrapped + first
    var p = 0, q = 0, k = 0
    while p < i, q < j {
      let u = x[p], v = y[q]
      out[k] = min(u, v)
      k += 1
      p += u <= v ? 1 : 0
      q += v <= u ? 1 : 0
    }
    while p < i { out[k] = x[p]; k += 1; p += 1 }
    while q < j { out[k] = y[q]; k += 1; q += 1 }
    let result = k == i ? a : k == j ? b : commit(k)
    keys[slot] = key
    values[slot] = result
    return result
  }
  private func grow(_ more: Int) -> Bool { items.count + more <= items.capacity || items.reserve(items.capacity + items.capacity / 2 + more) }
  private func commit(_ k: Int) -> Int32 {
    guard starts.count < Int(Int32.max) - n - 2, items.extend(to: items.count + k), starts.append(items.count) else { return fail() }
    return Int32(n + starts.count - 1)
  }
  private func fail() -> Int32 {
    refused = true
    return 0
  }

  /// The union of `count` sets, `stride` apart.
  func union(of marks: UnsafePointer<Int64>, stride: Int = 1, count m: Int) -> Int64 {
    if m == 0 { return 0 }
    if isWords {
      var u: Int64 = 0
      if stride == 1 { for i in 0 ..< m { u |= marks[i] } } else { for i in 0 ..< m { u |= marks[i * stride] } }
      return u
    }
    return Int64(numbers(marks, stride, m))
  }
  private func numbers(_ marks: UnsafePointer<Int64>, _ stride: Int, _ m: Int) -> Int32 {
    @inline(__always) func id(_ i: Int) -> Int32 { Int32(truncatingIfNeeded: marks[i * stride]) }
    var last = id(0), distinct = 1, total = count(last)
    for i in 1 ..< m where id(i) != last {
      last = id(i)
      distinct += 1
      total += count(last)
    }
    if distinct == 1 { return last }
    if distinct <= 4 || total < 12 {
      var u = marks[0]
      for i in 1 ..< m { u = union(u, marks[i * stride]) }
      return Int32(truncatingIfNeeded: u)
    }
    let room = min(total, n), first = items.count
    touched += total
    guard touched <= patience, first + room < Sets.limit, grow(room) else { return fail() }
    if epoch == Int32.max {
      stamps.p.update(repeating: 0, count: n + 1)
      epoch = 0
    }
    epoch += 1
    let out = items.base.unsafelyUnwrapped + first
    var k = 0, sorted = true
    last = -1
    for i in 0 ..< m where id(i) != last {
      last = id(i)
      if last == 0 { continue }
      let x = list(last, 0)
      for j in 0 ..< count(last) where stamps[Int(x[j])] != epoch {
        stamps[Int(x[j])] = epoch
        if k > 0, out[k - 1] > x[j] { sorted = false }
        out[k] = x[j]
        k += 1
      }
    }
    if k == 0 { return 0 }
    if k == 1 { return out[0] + 1 }
    if !sorted {
      if k > n / 32 {
        k = 0
        for c in 0 ..< n where stamps[c] == epoch { out[k] = Int32(c); k += 1 }
      } else {
        var list = UnsafeMutableBufferPointer(start: out, count: k)
        list.sort()
      }
    }
    return commit(k)
  }
}
