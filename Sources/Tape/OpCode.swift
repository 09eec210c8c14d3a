package import CKernels

/// The operators that are not elementwise, one row each in Ops/. Files name them, so their order is free.
package enum Structural: UInt16, CaseIterable, Sendable {
  case input = 1024
  case constant, array, capture, iota
  case cast, reshape, broadcast, transpose, slice, pad, concat, gather, scatterAdd
  case sum, prod, max, min, logsumexp, norm, argmax, argmin, softmax, cumsum
  case matmul, cholesky, triangularSolve, solve
  case random, scan, part
  case roll
  case checkpoint, after
  case conv, poolIndex, searchsorted
  case cond, whileLoop, revolve
  case cumprod, cummax, cummin, cumargmax, cumargmin, cumlogsumexp, recurrence
  case sort, argsort
  case scatterSet, segmentProd, segmentMax, segmentMin, dynamicSlice, dynamicUpdate
  case host, custom
  case lu, qr, eigh, eigvalsh, svd, svdvals, det, slogdet, cofactor, pinv, expm, sqrtm, sylvester, solveBanded
}

/// A row's number: elementwise rows as in camber_ops.h, then `Structural`.
package struct OpCode: Equatable, Hashable, Sendable {
  package let raw: UInt16
  @inline(__always) package init(raw: UInt16) { self.raw = raw }
  @inline(__always) package init(_ s: Structural) { raw = s.rawValue }
  @inline(__always) package init(_ u: Unary) { raw = UInt16(u.rawValue) }
  @inline(__always) package init(_ b: Binary) { raw = UInt16(b.rawValue) + UInt16(CK_UNARY_COUNT) }
  @inline(__always) package init(_ t: Ternary) { raw = UInt16(t.rawValue) + UInt16(CK_UNARY_COUNT + CK_BINARY_COUNT) }

  @inline(__always) package var isElementwise: Bool { raw < 1024 }
  package var structural: Structural? { Structural(rawValue: raw) }
  package var elementwise: Elementwise {
    let u = Int(CK_UNARY_COUNT), b = Int(CK_BINARY_COUNT), r = Int(raw)
    if r < u { return .unary(Unary(rawValue: UInt32(r)).unsafelyUnwrapped) }
    if r < u + b { return .binary(Binary(rawValue: UInt32(r - u)).unsafelyUnwrapped) }
    return .ternary(Ternary(rawValue: UInt32(r - u - b)).unsafelyUnwrapped)
  }
  package var name: String {
    if let s = structural { return row(s).name }
    return ck_row_name(Int32(raw)).map { String(cString: $0) } ?? "?"
  }
}

package enum Elementwise { case unary(Unary), binary(Binary), ternary(Ternary) }

/// An index into its tape; `none` is the absence of a node.
package struct NodeID: Hashable, Sendable, BitwiseCopyable {
  package let index: Int32
  @inline(__always) package init(_ index: Int32) { self.index = index }
  @inline(__always) package init(_ index: Int) { self.index = Int32(truncatingIfNeeded: index) }
  package static let none = NodeID(Int32(-1))
  @inline(__always) package var isNone: Bool { index < 0 }
  @inline(__always) package var i: Int { Int(index) }
}
