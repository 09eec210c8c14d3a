import CKernels

/// What a type rule says: the result's type, or why there is none.
package enum Inferred {
  case type(TensorType)
  case fail(Code, String)
}

/// A tangent or cotangent: its value, and where it is structurally present (nil: everywhere). The value is 0 where the mask is not set.
package struct Masked {
  package var value: NodeID
  package var mask: NodeID?
  package init(_ value: NodeID, _ mask: NodeID? = nil) {
    self.value = value
    self.mask = mask
  }
}

/// The partial derivative of an elementwise or reducing operator in one operand.
package enum Partial {
  case zero                       // structurally none
  case one, minusOne
  case factor(NodeID)
  case route(NodeID)              // 1 where the condition holds, structurally 0 elsewhere
  case gated(NodeID, NodeID)      // condition, factor: the factor where it holds, structurally 0 elsewhere
}

/// What the transforms need to know of an operator that is not elementwise; exactly one of these.
package enum Derivative {
  case zero
  /// y = reduction of x over axes: dy = sum over those axes of partial * dx. The partial has x's shape.
  case reducing((_ t: Tape, _ x: NodeID, _ y: NodeID, _ axes: [Int]) -> Partial)
  /// Linear in all float operands together: the jvp is the operator itself. Given a cotangent (or, of dtype bool, its mask), its
  /// pull-back to operand `slot`.
  case linear((_ t: Tape, _ y: NodeID, _ ct: NodeID, _ slot: Int) -> NodeID)
  /// Linear in each of the first two operands apart.
  case bilinear((_ t: Tape, _ y: NodeID, _ ct: Masked, _ slot: Int) -> Masked)
  /// The jvp as nodes linear in the tangents (nil: none), transposed by the transform. `transpose` is for slots in which the
  /// operator is linear by itself.
  case custom(jvp: (_ t: Tape, _ y: NodeID, _ tangents: [Masked?]) -> Masked?, transpose: ((_ t: Tape, _ y: NodeID, _ ct: NodeID, _ slot: Int) -> NodeID?)?)
  case loop
}

/// How an operator takes a new leading axis.
package enum Batching {
  /// All operands get the axis (those without are broadcast) and the attributes, counted from the end, stay.
  case leading
  case custom((_ t: Tape, _ n: NodeID, _ operands: [NodeID?], _ x: [NodeID], _ size: Int) -> NodeID)
}

/// How masks of operands become the mask of the result, for linear operators.
package enum MaskRule {
  case same     // the operator applied to the masks, as bools
  case dense    // dropped: the result counts as present everywhere
}

/// One operator that is not elementwise.
package struct Row {
  package var name: String
  package var infer: (_ x: [TensorType], _ attrs: [Int]) -> Inferred
  package var derivative: Derivative
  package var batching: Batching = .leading
  package var masks: MaskRule = .same
  /// Bytes of scratch for a run.
  package var scratch: (_ x: [TensorType], _ attrs: [Int], _ out: TensorType) -> Int = { _, _, _ in 0 }
  /// Numbers that the kernel reads, worked out once: a run allocates nothing.
  package var geometry: (_ x: [TensorType], _ attrs: [Int], _ out: TensorType) -> [Int] = { _, _, _ in [] }
  /// Whether a file may hold the row with these operands and attributes, before `infer` sees them: see Archive/Attributes.swift.
  var loads: ((_ x: [TensorType], _ attrs: [Int]) -> Bool)?
  /// Computes the result; nil, or what went wrong at run time.
  package var kernel: (_ c: borrowing Call) -> String?
}

/// One execution of a kernel: dense operands, a dense result that overlaps none of them. Not copied, and its lists not retained, by a run.
package struct Call: ~Copyable {
  /// The operands; behind them stand the result and the scratch.
  package let x: UnsafePointer<UnsafeRawPointer>
  package let types: [TensorType]
  package let type: TensorType
  package let attrs: [Int], geometry: [Int]
  private let count: Int
  package init(x: UnsafePointer<UnsafeRawPointer>, types: [TensorType], type: TensorType, attrs: [Int], geometry: [Int]) {
    self.x = x
    self.types = types
    self.type = type
    self.attrs = attrs
    self.geometry = geometry
    count = types.count
  }
  package var out: UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: x[count]) }
  package var scratch: UnsafeMutableRawPointer? { UnsafeRawPointer(x + count + 1).load(as: UnsafeMutableRawPointer?.self) }
  package func input<T>(_ i: Int, as: T.Type) -> UnsafePointer<T> { x[i].assumingMemoryBound(to: T.self) }
}

/// The table. A switch over the families' lists: a case without a row does not compile.
package func row(_ s: Structural) -> Row { rows[Int(s.rawValue - Structural.input.rawValue)] }

private let rows: [Row] = Structural.allCases.map { s in
  switch s {
  case .input, .constant, .array, .capture, .iota: leafRow(s)
  case .cast, .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll: shapeRow(s)
  case .gather, .scatterAdd: indexRow(s)
  case .sum, .prod, .max, .min, .logsumexp, .norm, .argmax, .argmin, .softmax, .cumsum: reductionRow(s)
  case .cumprod, .cummax, .cummin, .cumargmax, .cumargmin, .cumlogsumexp, .recurrence: runningRow(s)
  case .sort, .argsort: orderRow(s)
  case .scatterSet, .segmentProd, .segmentMax, .segmentMin, .dynamicSlice, .dynamicUpdate: scatterRow(s)
  case .matmul, .cholesky, .triangularSolve, .solve: linearAlgebraRow(s)
  case .conv, .poolIndex, .searchsorted: windowRow(s)
  case .lu, .qr, .eigh, .eigvalsh, .svd, .svdvals: factorRow(s)
  case .det, .slogdet, .cofactor, .pinv, .expm, .sqrtm, .sylvester, .solveBanded: matrixFunctionRow(s)
  case .random: randomRow(s)
  case .scan, .part: loopRow(s)
  case .checkpoint, .after: checkpointRow(s)
  case .cond, .whileLoop, .revolve: branchRow(s)
  case .host, .custom: hostRow(s)
  }
}

/// A shape cut into [outer, n, inner] around `axis` (from the end).
package func around(_ shape: [Int], axis: Int) -> (outer: Int, n: Int, inner: Int) {
  let a = shape.count + axis
  return (shape[..<a].reduce(1, &*), shape[a], shape[(a + 1)...].reduce(1, &*))
}

package func strides(_ shape: [Int]) -> [Int] {
  var s = [Int](repeating: 1, count: shape.count)
  for i in stride(from: shape.count - 2, through: 0, by: -1) { s[i] = s[i + 1] &* shape[i + 1] }
  return s
}
