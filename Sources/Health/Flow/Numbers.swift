import CKernels
import Glibc
import Tape

/// Bytes from the allocator that may refuse.
final class Block {
  let p: UnsafeMutableRawPointer
  nonisolated(unsafe) static let none = Block()
  private init() { p = UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped }
  init(_ bytes: Int) throws(Failure) {
    guard let q = ck_alloc(max(bytes, 64)) else { throw Failure(.memory, "flow: \(bytes) bytes were refused") }
    p = q
  }
  deinit { if UInt(bitPattern: p) != 64 { ck_free(p) } }
}

func load(_ p: UnsafeRawPointer, _ d: DType) -> Double { element(p, d, 0) }

@inline(__always) func element(_ p: UnsafeRawPointer, _ d: DType, _ i: Int) -> Double {
  switch d {
  case .f64: p.load(fromByteOffset: i * 8, as: Double.self)
  case .f32: Double(p.load(fromByteOffset: i * 4, as: Float.self))
  case .bf16: Double(Float(bitPattern: UInt32(p.load(fromByteOffset: i * 2, as: UInt16.self)) << 16))
  case .f16: Double(wide(p.load(fromByteOffset: i * 2, as: UInt16.self), .f16))
  default: .nan
  }
}

func put(_ v: Double, _ d: DType, _ p: UnsafeMutableRawPointer, _ i: Int) { store(v, d, p + i * d.size) }
func store(_ v: Double, _ d: DType, _ p: UnsafeMutableRawPointer) {
  switch d {
  case .f64: p.storeBytes(of: v, as: Double.self)
  case .f32: p.storeBytes(of: Float(v), as: Float.self)
  default:
    var x = v
    ck_cast_kernel(DType.f64.rawValue, d.rawValue)?(&x, nil, nil, p, 1)
  }
}

/// The median of what is not NaN; NaN of nothing.
func middle(_ x: [Double]) -> Double {
  let s = x.filter { !$0.isNaN }.sorted()
  return s.isEmpty ? .nan : s.count % 2 == 1 ? s[s.count / 2] : (s[s.count / 2 - 1] + s[s.count / 2]) / 2
}

/// The median of the slopes between all pairs of log x; numbers that are not positive and finite are left out. Of long lists, pairs at least a 16th apart.
func theilSen(_ x: [Double]) -> Double {
  var points: [(Double, Double)] = []
  for (i, v) in x.enumerated() where v > 0 && v.isFinite { points.append((Double(i), log(v))) }
  guard points.count >= 3 else { return .nan }
  var slopes: [Double] = []
  let step = max(points.count / 64, 1)
  for i in points.indices {
    var j = i + step
    while j < points.count {
      slopes.append((points[j].1 - points[i].1) / (points[j].0 - points[i].0))
      j += step
    }
  }
  return middle(slopes)
}
