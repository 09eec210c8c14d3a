import CKernels
import Tape

/// Doubles laid out in another dtype, in the library's memory.
final class Stored {
  let memory: UnsafeMutableRawPointer
  private let type: TensorType

  init(_ values: [Double], _ type: TensorType) {
    self.type = type
    memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(type.bytes, 8), alignment: 64)
    values.withUnsafeBytes { p in
      if let b = p.baseAddress { ck_cast_kernel(Tape_DType.f64.rawValue, type.dtype.rawValue)?(b, nil, nil, memory, type.count) }
    }
  }
  deinit { memory.deallocate() }

  var values: [Double] {
    var r = [Double](repeating: 0, count: type.count)
    r.withUnsafeMutableBytes { p in
      if let b = p.baseAddress { ck_cast_kernel(type.dtype.rawValue, Tape_DType.f64.rawValue)?(memory, nil, nil, b, type.count) }
    }
    return r
  }
}
