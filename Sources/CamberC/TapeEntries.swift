import CBuilders
public import CCamber
import CKernels
import Glibc
import Tape

@_cdecl("camber_version") @implementation public func camber_version() -> UInt32 {
  UInt32(CAMBER_VERSION_MAJOR * 10000 + CAMBER_VERSION_MINOR * 100 + CAMBER_VERSION_PATCH)
}

@_cdecl("camber_header_digest") @implementation public func camber_header_digest() -> UnsafePointer<CChar>! { cb_header_digest() }

@_cdecl("camber_status_message") @implementation public func camber_status_message(_ status: camber_status) -> UnsafePointer<CChar>! {
  guard let code = Code(rawValue: status) else { return c("no status of this library") }
  return switch code {
  case .ok: c("success")
  case .nonfinite: c("a result is NaN or infinite; try another point")
  case .flipped: c("a branch of the host's went the other way than when it was recorded; record anew at this point")
  case .invalid: c("an argument is outside what the call takes")
  case .shape: c("shapes do not fit")
  case .dtype: c("a dtype that the operator does not take, or dtypes that differ")
  case .node: c("a node of another tape, or none")
  case .memory: c("memory was refused, or a size that cannot exist")
  case .handle: c("NULL, a freed handle or one of another kind")
  case .derivative: c("this derivative does not exist")
  case .busy: c("the workspace is running in another thread")
  case .callback: c("a function of the host's own failed")
  case .io: c("a file could not be read or written, or is not what it claims")
  }
}

@_cdecl("camber_dtype_size") @implementation public func camber_dtype_size(_ dtype: camber_dtype) -> Int { DType(rawValue: dtype)?.size ?? 0 }

@_cdecl("camber_dtype_name") @implementation public func camber_dtype_name(_ dtype: camber_dtype) -> UnsafePointer<CChar>! {
  switch DType(rawValue: dtype) {
  case .f64: c("f64")
  case .f32: c("f32")
  case .f16: c("f16")
  case .bf16: c("bf16")
  case .i64: c("i64")
  case .i32: c("i32")
  case .bool: c("bool")
  case nil: c("?")
  }
}

@_cdecl("camber_tape_new") @implementation public func camber_tape_new() -> OpaquePointer! {
  _ = cb_builders()
  return makeHandle(.tape, TapeHandle(Tape()))
}

@_cdecl("camber_tape_free") @implementation public func camber_tape_free(_ tape: OpaquePointer!) { freeHandle(.tape, tape) }

@_cdecl("camber_tape_sub") @implementation public func camber_tape_sub(_ outer: OpaquePointer!) -> OpaquePointer! {
  guard let h = tapeHandle(outer), h.tape.failure == nil else { return nil }
  guard h.tape.depth < Tape.depthLimit else {
    h.tape.fail(.invalid, "tape_sub: more than \(Tape.depthLimit) loops inside each other")
    h.settle()
    return nil
  }
  return makeHandle(.tape, TapeHandle(Tape(parent: h.tape)))
}

@_cdecl("camber_tape_status") @implementation public func camber_tape_status(_ tape: OpaquePointer!) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  return h.tape.failure?.code.rawValue ?? 0
}

@_cdecl("camber_tape_message") @implementation public func camber_tape_message(_ tape: OpaquePointer!) -> UnsafePointer<CChar>! {
  guard let h = tapeHandle(tape) else { return camber_status_message(CAMBER_EHANDLE.raw) }
  // A sub-tape's failure may be recorded by a call on another tape, which says no sentence here.
  if h.isSilent, let f = h.tape.failure { return camber_status_message(f.code.rawValue) }
  return h.text
}

@_cdecl("camber_tape_fail") @implementation public func camber_tape_fail(_ tape: OpaquePointer!, _ status: camber_status, _ sentence: UnsafePointer<CChar>!) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  let said = sentence.map { String(cString: $0) } ?? ""
  h.tape.fail(status < 0 ? Code(rawValue: status) ?? .callback : .callback, said.isEmpty ? "the host gave no reason" : said)
  return h.status
}

@_cdecl("camber_tape_clear") @implementation public func camber_tape_clear(_ tape: OpaquePointer!) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  h.tape.failure = nil
  h.hush()
  return 0
}

@_cdecl("camber_tape_node_count") @implementation public func camber_tape_node_count(_ tape: OpaquePointer!) -> Int { tapeHandle(tape)?.tape.count ?? 0 }
@_cdecl("camber_tape_bytes") @implementation public func camber_tape_bytes(_ tape: OpaquePointer!) -> Int { tapeHandle(tape)?.tape.bytes ?? 0 }

@_cdecl("camber_tape_hash") @implementation public func camber_tape_hash(
  _ tape: OpaquePointer!, _ inputs: UnsafePointer<camber_node>!, _ input_count: Int, _ outputs: UnsafePointer<camber_node>!, _ output_count: Int
) -> UInt64 {
  guard let h = tapeHandle(tape), let x = h.nodes(inputs, input_count, "camber_tape_hash"), let y = h.nodes(outputs, output_count, "camber_tape_hash") else {
    tapeHandle(tape)?.settle()
    return 0
  }
  defer { h.settle() }
  return h.tape.fingerprint(x, y) ?? 0
}

// MARK: leaves

@_cdecl("camber_input") @implementation public func camber_input(_ tape: OpaquePointer!, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int) -> camber_node {
  build(tape) { h, t in h.type(dtype, shape, rank, "input").map { t.input($0) } ?? .none }
}

@_cdecl("camber_constant") @implementation public func camber_constant(_ tape: OpaquePointer!, _ dtype: camber_dtype, _ value: Double) -> camber_node {
  build(tape) { h, t in h.dtype(dtype, "constant").map { t.constant($0, value) } ?? .none }
}

@_cdecl("camber_integer") @implementation public func camber_integer(_ tape: OpaquePointer!, _ dtype: camber_dtype, _ value: Int64) -> camber_node {
  build(tape) { h, t in h.dtype(dtype, "integer").map { t.constant($0, integer: value) } ?? .none }
}

@_cdecl("camber_array") @implementation public func camber_array(
  _ tape: OpaquePointer!, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int, _ data: UnsafeRawPointer!
) -> camber_node {
  build(tape) { h, t in
    guard let type = h.type(dtype, shape, rank, "array") else { return .none }
    guard let data = data ?? (type.count == 0 ? UnsafeRawPointer(bitPattern: 8) : nil) else { return t.fail(.invalid, "array: data is NULL") }
    return t.array(type, data)
  }
}

@_cdecl("camber_iota") @implementation public func camber_iota(
  _ tape: OpaquePointer!, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int, _ axis: Int64
) -> camber_node {
  build(tape) { h, t in
    guard let type = h.type(dtype, shape, rank, "iota"), let a = h.axis(axis, rank: type.rank, "iota") else { return .none }
    return t.iota(type, axis: a)
  }
}

// MARK: questions

/// The type of a node of this tape as it stands; an outer tape's node counts where it is captured already or can be.
private func known(_ tape: OpaquePointer?, _ node: camber_node) -> TensorType? {
  guard let h = tapeHandle(tape), node >= 0 else { return nil }
  var t: Tape? = h.tape
  let serial = Int32(truncatingIfNeeded: node >> 32), n = NodeID(Int32(truncatingIfNeeded: node))
  while let here = t {
    if here.serial == serial { return here.contains(n) && !here.isTuple(n) ? here.type(n) : nil }
    t = here.parent
  }
  return nil
}

@_cdecl("camber_node_dtype") @implementation public func camber_node_dtype(_ tape: OpaquePointer!, _ node: camber_node) -> camber_dtype {
  known(tape, node)?.dtype.rawValue ?? -1
}
@_cdecl("camber_node_rank") @implementation public func camber_node_rank(_ tape: OpaquePointer!, _ node: camber_node) -> Int64 {
  known(tape, node).map { Int64($0.rank) } ?? -1
}
@_cdecl("camber_node_dim") @implementation public func camber_node_dim(_ tape: OpaquePointer!, _ node: camber_node, _ axis: Int64) -> Int64 {
  guard let t = known(tape, node), axis >= -Int64(t.rank), axis < Int64(t.rank) else { return -1 }
  return Int64(t.shape[axis < 0 ? t.rank + Int(axis) : Int(axis)])
}
@_cdecl("camber_node_shape") @implementation public func camber_node_shape(_ tape: OpaquePointer!, _ node: camber_node, _ shape: UnsafeMutablePointer<Int64>!) -> camber_status {
  guard tapeHandle(tape) != nil else { return CAMBER_EHANDLE.raw }
  guard let t = known(tape, node) else { return CAMBER_ENODE.raw }
  guard t.rank == 0 || shape != nil else { return CAMBER_EINVAL.raw }
  for (i, n) in t.shape.enumerated() { shape[i] = Int64(n) }
  return 0
}
@_cdecl("camber_node_op") @implementation public func camber_node_op(_ tape: OpaquePointer!, _ node: camber_node) -> UnsafePointer<CChar>! {
  guard known(tape, node) != nil, var t = tapeHandle(tape)?.tape else { return c("?") }
  let serial = Int32(truncatingIfNeeded: node >> 32)
  while t.serial != serial, let p = t.parent { t = p }
  return opName(t.op(NodeID(Int32(truncatingIfNeeded: node))))
}
/// A row's name; lives as long as the library.
func opName(_ op: OpCode) -> UnsafePointer<CChar> { op.isElementwise ? ck_row_name(Int32(op.raw)) : structuralName(op) }

/// The rows' names as C reads them; made once, never freed.
nonisolated(unsafe) private let structuralNames = Structural.allCases.map { strdup(row($0).name) }

private func structuralName(_ op: OpCode) -> UnsafePointer<CChar> {
  guard let s = op.structural, let i = Structural.allCases.firstIndex(of: s), let name = structuralNames[i] else { return c("?") }
  return UnsafePointer(name)
}

// MARK: rows

@_cdecl("cb_elementwise") @implementation public func cb_elementwise(_ tape: OpaquePointer!, _ row: Int32, _ x: camber_node, _ y: camber_node, _ z: camber_node) -> camber_node {
  guard let h = tapeHandle(tape), h.tape.failure == nil else { return -1 }
  return h.pack(h.tape.elementwise(OpCode(raw: UInt16(truncatingIfNeeded: row)), h.node(x), h.node(y), h.node(z)))
}

@_cdecl("camber_apply") @implementation public func camber_apply(
  _ tape: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ inputs: UnsafePointer<camber_node>!, _ count: Int
) -> camber_node {
  build(tape) { h, t in
    guard let name else { return t.fail(.invalid, "apply: the name is NULL") }
    let wanted = String(cString: name)
    guard let row = (0 ..< Int32(CK_ROW_COUNT)).first(where: { String(cString: ck_row_name($0)) == wanted }) else { return t.fail(.invalid, "apply: no elementwise operator \"\(wanted)\"") }
    guard let x = h.nodes(inputs, count, "apply") else { return .none }
    guard x.count == Int(ck_row_arity(row)) else { return t.fail(.invalid, "\(wanted): takes \(ck_row_arity(row)) operands, not \(x.count)") }
    return t.elementwise(OpCode(raw: UInt16(row)), x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none)
  }
}

@_cdecl("camber_op_count") @implementation public func camber_op_count() -> Int { Int(CK_ROW_COUNT) }
private func isRow(_ i: Int) -> Bool { i >= 0 && i < Int(CK_ROW_COUNT) }
@_cdecl("camber_op_name") @implementation public func camber_op_name(_ i: Int) -> UnsafePointer<CChar>! { isRow(i) ? ck_row_name(Int32(i)) : nil }
@_cdecl("camber_op_arity") @implementation public func camber_op_arity(_ i: Int) -> Int32 { isRow(i) ? ck_row_arity(Int32(i)) : -1 }
@_cdecl("camber_op_class") @implementation public func camber_op_class(_ i: Int) -> UnsafePointer<CChar>! {
  guard isRow(i) else { return nil }
  return switch ck_row_class(Int32(i)) {
  case .FLOAT: c("FLOAT")
  case .NUMBER: c("NUMBER")
  case .INTEGER: c("INTEGER")
  case .TEST: c("TEST")
  case .COMPARE: c("COMPARE")
  case .LOGIC: c("LOGIC")
  case .SELECT: c("SELECT")
  case .GATE: c("GATE")
  }
}
@_cdecl("camber_op_domain") @implementation public func camber_op_domain(
  _ i: Int, _ slot: Int, _ low: UnsafeMutablePointer<Double>!, _ high: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard isRow(i), slot >= 0, slot < Int(ck_row_arity(Int32(i))), let low, let high else { return CAMBER_EINVAL.raw }
  let d = domain(OpCode(raw: UInt16(i)), slot: slot)
  low.pointee = d.low
  high.pointee = d.high
  return 0
}
@_cdecl("camber_op_ulp") @implementation public func camber_op_ulp(_ i: Int) -> Double { isRow(i) ? ulpBound(OpCode(raw: UInt16(i))) : .nan }
