import CKernels
package import Tape

/// An array of a plain run, in memory of its own or of another value.
final class Value {
  let type: TensorType
  let data: UnsafeMutableRawPointer
  private let owner: AnyObject?, isOwn: Bool
  /// Where each element that is not finite comes from; nil where all are finite.
  var marks: Marks?

  init(_ t: TensorType) throws(Failure) {
    guard let p = ck_alloc(max(t.bytes, 8)) else { throw Failure(.memory, "nonfinite: \(t.bytes) bytes were refused") }
    type = t
    data = p
    owner = nil
    isOwn = true
  }
  /// Memory that `owner`, or the host, keeps.
  init(_ t: TensorType, at p: UnsafeMutableRawPointer, of owner: AnyObject?) {
    type = t
    data = p
    self.owner = owner
    isOwn = false
  }
  deinit { if isOwn { ck_free(data) } }

  func number(_ i: Int) -> Double { element(type.dtype, data, i) }
}

func element(_ d: DType, _ p: UnsafeRawPointer, _ i: Int) -> Double {
  switch d {
  case .f64: p.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
  case .f32: Double(p.loadUnaligned(fromByteOffset: 4 * i, as: Float.self))
  case .f16, .bf16: Double(wide(p.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self), d))
  case .i64: Double(p.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
  case .i32: Double(p.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self))
  case .bool: p.load(fromByteOffset: i, as: UInt8.self) != 0 ? 1 : 0
  }
}

/// By element: 0 where it is finite, else the number of the birth that it goes back to. Births are numbered in the order in which they
/// happen, the elements of one node one after another.
final class Marks {
  let p: UnsafeMutablePointer<Int64>, count: Int
  private let owner: Marks?

  init(_ n: Int) throws(Failure) {
    guard let m = ck_alloc(max(n, 1) * 8) else { throw Failure(.memory, "nonfinite: \(n * 8) bytes were refused") }
    p = m.bindMemory(to: Int64.self, capacity: max(n, 1))
    p.initialize(repeating: 0, count: max(n, 1))
    count = n
    owner = nil
  }
  /// A part of another's; nil where nothing in it is marked.
  init?(_ m: Marks, from: Int, count n: Int) {
    var any = false
    for i in from ..< from + n where m.p[i] != 0 { any = true; break }
    guard any else { return nil }
    p = m.p + from
    count = n
    owner = m
  }
  deinit { if owner == nil { ck_free(p) } }
  var isEmpty: Bool { for i in 0 ..< count where p[i] != 0 { return false }; return true }
}

/// Values by node, those of tuples by member.
final class Values {
  private let p: UnsafeMutablePointer<Unmanaged<Value>?>
  private let count: Int
  private var tuples: [Int: [Value]] = [:]
  init(_ n: Int) throws(Failure) {
    guard let m = ck_alloc(max(n, 1) * 8) else { throw Failure(.memory, "nonfinite: \(n * 8) bytes were refused") }
    p = m.bindMemory(to: Unmanaged<Value>?.self, capacity: max(n, 1))
    p.initialize(repeating: nil, count: max(n, 1))
    count = n
  }
  deinit {
    for i in 0 ..< count { p[i]?.release() }
    ck_free(p)
  }
  subscript(_ n: NodeID) -> Value? {
    get { p[n.i]?.takeUnretainedValue() }
    set {
      let new = newValue.map { Unmanaged.passRetained($0) }
      p[n.i]?.release()
      p[n.i] = new
    }
  }
  func set(tuple n: NodeID, _ v: [Value]) { tuples[n.i] = v }
  func member(_ n: NodeID, _ k: Int) -> Value? { tuples[n.i].map { $0[k] } }
  func drop(_ n: NodeID, tuple: Bool) {
    if tuple { tuples[n.i] = nil } else { self[n] = nil }
  }
}

/// The nodes behind some outputs in the order in which they are computed, and until when each is read. What lies behind `cut` is left out.
final class Layout {
  var nodes = Buffer<NodeID>()
  var last: PerNode<Int32>
  init(_ t: Tape, _ outputs: [NodeID], cut: [NodeID]) throws(Failure) {
    let refused = Failure(.memory, "nonfinite: memory was refused")
    guard var until = PerNode<Int32>(t, Int32.max), var seen = PerNode<UInt8>(t, 0) else { throw t.failure ?? refused }
    for n in cut { seen[n] = 2 }
    var list = Buffer<NodeID>(), stack = Buffer<(NodeID, Int32)>()
    for n in cut where !list.append(n) { throw refused }
    for o in outputs where t.contains(o) && seen[o] == 0 {
      seen[o] = 1
      guard stack.append((o, 0)) else { throw refused }
      while stack.count > 0 {
        let (n, slot) = stack[stack.count - 1]
        let r = t.record(n)
        if slot < Int32(r.arity) {
          stack[stack.count - 1] = (n, slot + 1)
          let x = t.input(of: r, Int(slot))
          if seen[x] == 0 {
            seen[x] = 1
            guard stack.append((x, 0)) else { throw refused }
          }
        } else {
          stack.removeLast()
          guard list.append(n) else { throw refused }
        }
      }
    }
    for k in 0 ..< list.count where seen[list[k]] != 2 {
      let r = t.record(list[k])
      until[list[k]] = Int32(k)
      for slot in 0 ..< Int(r.arity) { until[t.input(of: r, slot)] = Int32(k) }
    }
    for o in outputs { until[o] = Int32.max }
    nodes = list
    last = until
  }
}
