import CKernels
import Tape

/// A fixed array of trivial elements from the allocator that may refuse; freed with its owner.
final class Memory<Element: BitwiseCopyable> {
  let p: UnsafeMutablePointer<Element>
  let count: Int

  convenience init(_ count: Int, filling value: Element) throws(Failure) {
    try self.init(unset: count)
    p.initialize(repeating: value, count: count)
  }

  /// Whatever lies there.
  init(unset count: Int) throws(Failure) {
    guard let raw = ck_alloc(Swift.max(count, 1) &* MemoryLayout<Element>.stride) else { throw refused }
    p = raw.bindMemory(to: Element.self, capacity: Swift.max(count, 1))
    self.count = count
  }

  deinit { ck_free(p) }

  @inline(__always) subscript(i: Int) -> Element {
    get { p[i] }
    set { p[i] = newValue }
  }
}

/// A growing list of trivial elements that refuses with a failure.
struct List<Element: BitwiseCopyable>: ~Copyable {
  private var buffer = Buffer<Element>()
  init() {}
  @inline(__always) var count: Int { buffer.count }
  @inline(__always) var p: UnsafeMutablePointer<Element>? { buffer.base }
  @inline(__always) subscript(i: Int) -> Element {
    get { buffer[i] }
    set { buffer[i] = newValue }
  }
  @inline(__always) mutating func add(_ e: Element) throws(Failure) {
    if !buffer.append(e) { throw refused }
  }
  @inline(__always) mutating func pop() -> Element {
    let e = buffer[buffer.count - 1]
    _ = buffer.resize(buffer.count - 1, filling: e)
    return e
  }
  @inline(__always) var isEmpty: Bool { buffer.count == 0 }
  mutating func clear() { buffer.removeAll() }
}

/// A list in memory of its own, which `owners` keeps.
func packed<T>(_ list: [T], _ owners: inout [Memory<UInt64>]) throws(Failure) -> UnsafeMutablePointer<T> {
  let m = try Memory<UInt64>(list.count * MemoryLayout<T>.stride / 8 + 1, filling: 0)
  owners.append(m)
  let p = UnsafeMutableRawPointer(m.p).bindMemory(to: T.self, capacity: max(list.count, 1))
  for (i, e) in list.enumerated() { (p + i).initialize(to: e) }
  return p
}

let refused = Failure(.memory, "program: memory was refused")

@inline(__always) func up(_ n: Int, _ multiple: Int) -> Int { (n &+ multiple &- 1) & ~(multiple &- 1) }
