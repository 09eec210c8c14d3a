import CKernels
import Runtime
import Tape

/// The vectors of one solve, from the allocator that may refuse; freed together.
final class Vectors {
  private var all: [UnsafeMutableRawPointer] = []
  func make(_ count: Int) throws(Failure) -> Vector {
    guard let p = ck_alloc(max(count, 1) &* 8) else { throw Failure(.memory, "solver: \(count) numbers of memory were refused") }
    all.append(p)
    let v = p.bindMemory(to: Double.self, capacity: max(count, 1))
    v.initialize(repeating: 0, count: max(count, 1))
    return v
  }
  deinit { for p in all { ck_free(p) } }
}
