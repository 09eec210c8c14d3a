import CKernels

/// Element types, numbered as in camber.h.
package enum DType: Int32, CaseIterable, Sendable {
  case f64, f32, f16, bf16, i64, i32, bool

  package var size: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16: 2
    case .bool: 1
    }
  }
  package var isFloat: Bool { rawValue < 4 }
  package var isHalf: Bool { self == .f16 || self == .bf16 }
  package var isInteger: Bool { self == .i64 || self == .i32 }
  package var name: String {
    switch self {
    case .f64: "f64"
    case .f32: "f32"
    case .f16: "f16"
    case .bf16: "bf16"
    case .i64: "i64"
    case .i32: "i32"
    case .bool: "bool"
    }
  }
  /// The dtype kernels compute in: the 16-bit formats run as f32.
  package var compute: DType { isHalf ? .f32 : self }
}

/// Dtype and shape; a scalar has rank 0. Immutable, compared by value, interned by each tape.
package struct TensorType: Hashable, Sendable {
  package let dtype: DType
  package let shape: [Int]
  package let count: Int

  /// No more elements than this in one value: sizes in bytes stay far from overflow.
  package static let countLimit = 1 << 40
  /// Of a value in a file.
  package static let rankLimit = 64

  /// `nil` where an extent is negative or the element count passes the limit.
  package init?(_ dtype: DType, checking shape: [Int]) {
    var count = 1
    for n in shape {
      guard n >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: Swift.max(n, 1))
      guard !overflow, product <= TensorType.countLimit else { return nil }
      count = product
    }
    self.init(dtype, shape)
  }

  /// For shapes known to be sound.
  package init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
    var n = 1
    for d in shape { n &*= d }
    count = n
  }

  package var rank: Int { shape.count }
  package var bytes: Int { count * dtype.size }
  package func with(_ dtype: DType) -> TensorType { TensorType(dtype, shape) }
  package func with(shape: [Int]) -> TensorType { TensorType(dtype, shape) }
  package var description: String { "\(dtype.name)\(text(shape))" }
}

/// Shapes as error sentences show them: `[2, 3]`.
package func text(_ shape: some Sequence<Int>) -> String {
  "[" + shape.map(String.init).joined(separator: ", ") + "]"
}

/// Status numbers as in camber.h.
package enum Code: Int32, Sendable {
  case ok = 0, nonfinite = 1, flipped = 2
  case invalid = -1, shape = -2, dtype = -3, node = -4, memory = -5, handle = -6, derivative = -7, busy = -8, io = -9, callback = -10
}

package struct Failure: Error, Sendable {
  package let code: Code
  package let message: String
  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// The name under which modules that have a `DType` of their own reach this one.
package typealias Tape_DType = DType
