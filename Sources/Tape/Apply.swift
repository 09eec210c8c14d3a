package import CKernels
import Glibc

/// Building with checks: every operator enters a tape through these.
extension Tape {
  private static let arities: [UInt8] = (0 ..< Int(CK_ROW_COUNT)).map { UInt8(ck_row_arity(Int32($0))) }
  private static let classes: [OpClass] = (0 ..< Int(CK_ROW_COUNT)).map { ck_row_class(Int32($0)) }

  /// Applies an elementwise row. Operands beyond its arity are ignored.
  package func elementwise(_ op: OpCode, _ x: NodeID, _ y: NodeID = .none, _ z: NodeID = .none) -> NodeID {
    guard failure == nil else { return .none }
    let row = Int(op.raw), arity = Tape.arities[row]
    guard contains(x), arity < 2 || contains(y), arity < 3 || contains(z) else {
      return fail(.node, "\(op.name): an operand is not a node of this tape")
    }
    let tx = records[x.i].type
    guard tx >= 0, arity < 2 || records[y.i].type >= 0, arity < 3 || records[z.i].type >= 0 else {
      return fail(.node, "\(op.name): an operand is a tuple")
    }
    var result = tx
    let d = types[Int(tx)].dtype
    switch Tape.classes[row] {
    case .FLOAT: if !d.isFloat { return wrongDtype(op, x, "a float") }
    case .NUMBER: if d == .bool { return wrongDtype(op, x, "a number") }
    case .INTEGER: if d != .i64 { return wrongDtype(op, x, "i64") }
    case .LOGIC: if d != .bool { return wrongDtype(op, x, "bool") }
    case .TEST:
      if !d.isFloat { return wrongDtype(op, x, "a float") }
      result = boolType(tx)
    case .COMPARE:
      if d == .bool { return wrongDtype(op, x, "a number") }
      result = boolType(tx)
    case .SELECT, .GATE:
      let ty = records[y.i].type
      if d != .bool { return wrongDtype(op, x, "bool") }
      if records[z.i].type != ty { return mismatch(op, y, z) }
      if boolType(ty) != tx { return mismatch(op, x, y, dtypes: false) }
      if Tape.classes[row] == .GATE, !types[Int(ty)].dtype.isFloat { return wrongDtype(op, y, "a float") }
      return intern(Record(op: op.raw, arity: 3, type: ty, a: x.index, b: y.index, c: z.index, attrs: 0))
    }
    if arity >= 2, records[y.i].type != tx { return mismatch(op, x, y) }
    if arity == 3, records[z.i].type != tx { return mismatch(op, x, z) }
    return intern(Record(op: op.raw, arity: UInt16(arity), type: result, a: x.index, b: arity > 1 ? y.index : -1, c: arity > 2 ? z.index : -1, attrs: 0))
  }

  private func wrongDtype(_ op: OpCode, _ x: NodeID, _ wanted: String) -> NodeID {
    fail(.dtype, "\(op.name): takes \(wanted), not \(type(x).description)")
  }

  private func mismatch(_ op: OpCode, _ x: NodeID, _ y: NodeID, dtypes: Bool = true) -> NodeID {
    let a = type(x), b = type(y)
    if a.shape != b.shape { return fail(.shape, "\(op.name): shapes \(text(a.shape)) and \(text(b.shape)) differ; broadcast one first") }
    return fail(.dtype, "\(op.name): dtypes \(a.dtype.name) and \(b.dtype.name) differ; cast one first")
  }

  /// Applies any other row.
  package func apply(_ s: Structural, _ inputs: [NodeID], _ attrs: [Int] = []) -> NodeID {
    guard failure == nil else { return .none }
    let r = row(s)
    guard inputs.count < 65536 else { return fail(.invalid, "\(r.name): \(inputs.count) operands; at most 65535 are taken") }
    for (i, x) in inputs.enumerated() {
      guard contains(x) else { return fail(.node, "\(r.name): operand \(i) is not a node of this tape") }
      guard records[x.i].type >= 0 || s == .part else { return fail(.node, "\(r.name): operand \(i) is a tuple") }
    }
    switch r.infer(inputs.map { type($0) }, attrs) {
    case .fail(let code, let message): return fail(code, "\(r.name): \(message)")
    case .type(let t):
      guard t.count <= TensorType.countLimit else { return fail(.memory, "\(r.name): a result of shape \(text(t.shape)) has too many elements") }
      return add(OpCode(s), inputs, type: intern(t), attrs: attrs)
    }
  }

  @inline(__always) package func unary(_ op: Unary, _ x: NodeID) -> NodeID { elementwise(OpCode(op), x) }
  @inline(__always) package func binary(_ op: Binary, _ x: NodeID, _ y: NodeID) -> NodeID { elementwise(OpCode(op), x, y) }
  @inline(__always) package func ternary(_ op: Ternary, _ x: NodeID, _ y: NodeID, _ z: NodeID) -> NodeID { elementwise(OpCode(op), x, y, z) }

  // MARK: arithmetic as derivative rules write it; on bools, the Boolean semiring

  package func add(_ x: NodeID, _ y: NodeID) -> NodeID {
    if contains(x), dtype(x) == .bool { return or(x, y) }
    return binary(.add, x, y)
  }
  package func sub(_ x: NodeID, _ y: NodeID) -> NodeID { binary(.sub, x, y) }
  package func mul(_ x: NodeID, _ y: NodeID) -> NodeID {
    if contains(x), contains(y) {
      if isUniform(x, 1), records[x.i].type == records[y.i].type { return y }
      if isUniform(y, 1), records[x.i].type == records[y.i].type { return x }
    }
    return binary(.mul, x, y)
  }
  package func div(_ x: NodeID, _ y: NodeID) -> NodeID { binary(.div, x, y) }
  package func neg(_ x: NodeID) -> NodeID { contains(x) && dtype(x) == .bool ? x : unary(.neg, x) }
  package func scale(_ x: NodeID, _ factor: Double) -> NodeID { mul(x, like(x, factor)) }
  package func select(_ c: NodeID, _ x: NodeID, _ y: NodeID) -> NodeID { ternary(.select, c, x, y) }
  package func gate(_ m: NodeID, _ x: NodeID, _ y: NodeID) -> NodeID { ternary(.gate, m, x, y) }
  package func and(_ x: NodeID, _ y: NodeID) -> NodeID {
    if x == y { return x }
    if contains(x), contains(y) {
      if isUniform(x, 1) { return y }
      if isUniform(y, 1) { return x }
    }
    return binary(.logical_and, x, y)
  }
  package func or(_ x: NodeID, _ y: NodeID) -> NodeID { x == y ? x : binary(.logical_or, x, y) }
  package func not(_ x: NodeID) -> NodeID { unary(.logical_not, x) }

  // MARK: constants

  /// `value` rounded once to the dtype.
  package func constant(_ dtype: DType, _ value: Double) -> NodeID {
    constant(dtype, bits: dtype.isFloat ? rounded(value, to: dtype).bitPattern : UInt64(bitPattern: integer(value, dtype)))
  }
  package func constant(_ dtype: DType, integer v: Int64) -> NodeID {
    if dtype.isFloat { return constant(dtype, Double(v)) }
    return constant(dtype, bits: UInt64(bitPattern: dtype == .bool ? (v != 0 ? 1 : 0) : dtype == .i32 ? Int64(Int32(truncatingIfNeeded: v)) : v))
  }
  package func full(_ t: TensorType, _ value: Double) -> NodeID { splat(constant(t.dtype, value), t.shape) }
  package func like(_ x: NodeID, _ value: Double) -> NodeID { contains(x) ? full(type(x), value) : .none }
  package func zeros(_ x: NodeID) -> NodeID { like(x, 0) }
  package func ones(mask x: NodeID) -> NodeID { full(type(x).with(.bool), 1) }

  /// A scalar spread over a shape.
  package func splat(_ scalar: NodeID, _ shape: [Int]) -> NodeID {
    if shape.isEmpty || scalar.isNone { return scalar }
    return apply(.broadcast, [apply(.reshape, [scalar], [0] + shape.map { _ in 1 })], shape)
  }

  package func array(_ t: TensorType, _ data: UnsafeRawPointer) -> NodeID {
    guard failure == nil else { return .none }
    if t.rank == 0 { return constant(t.dtype, bits: scalarBits(t.dtype, data)) }
    guard let copy = ck_alloc(t.bytes) else { return outOfMemory() }
    copy.copyMemory(from: data, byteCount: t.bytes)
    let h = Tape.hash(UnsafeRawBufferPointer(start: data, count: t.bytes))
    let known = arrayIndex[h]?.first { arrays[$0].bytes == t.bytes && memcmp(arrays[$0].data, data, t.bytes) == 0 }
    if known != nil {
      ck_free(copy)
    } else {
      arrayIndex[h, default: []].append(arrays.count)
      arrays.append(ArrayConstant(data: copy, bytes: t.bytes, hash: h))
    }
    return intern(Record(op: Structural.array.rawValue, arity: 0, type: intern(t), a: Int32(known ?? arrays.count - 1), b: 0, c: 0, attrs: 0))
  }

  private func scalarBits(_ d: DType, _ p: UnsafeRawPointer) -> UInt64 {
    switch d {
    case .f64: p.loadUnaligned(as: UInt64.self)
    case .f32: Double(p.loadUnaligned(as: Float.self)).bitPattern
    case .f16, .bf16: Double(widened(p.loadUnaligned(as: UInt16.self), d)).bitPattern
    case .i64: p.loadUnaligned(as: UInt64.self)
    case .i32: UInt64(bitPattern: Int64(p.loadUnaligned(as: Int32.self)))
    case .bool: p.loadUnaligned(as: UInt8.self) != 0 ? 1 : 0
    }
  }
}

/// `v` as the nearest value of a float dtype (ties to even).
package func rounded(_ v: Double, to d: DType) -> Double {
  switch d {
  case .f64: return v
  case .f32: return Double(Float(v))
  default:
    var x = v, h: UInt16 = 0, f: Float = 0
    ck_cast_kernel(DType.f64.rawValue, d.rawValue)?(&x, nil, nil, &h, 1)
    ck_cast_kernel(d.rawValue, DType.f32.rawValue)?(&h, nil, nil, &f, 1)
    return Double(f)
  }
}

package func wide(_ h: UInt16, _ d: DType) -> Float { widened(h, d) }
func widened(_ h: UInt16, _ d: DType) -> Float {
  var x = h, f: Float = 0
  ck_cast_kernel(d.rawValue, DType.f32.rawValue)?(&x, nil, nil, &f, 1)
  return f
}

/// Truncated and saturated, as casts do.
private func integer(_ v: Double, _ d: DType) -> Int64 {
  if d == .bool { return v != 0 ? 1 : 0 }
  if v.isNaN { return 0 }
  let low: Double = d == .i32 ? -0x1p31 : -0x1p63, high: Double = d == .i32 ? 0x1p31 : 0x1p63
  if v < low { return d == .i32 ? Int64(Int32.min) : .min }
  if v >= high { return d == .i32 ? Int64(Int32.max) : .max }
  return Int64(v)
}
