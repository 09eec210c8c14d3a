public import CCamber
import CKernels
import Glibc
import Sparse
import Tape

final class SparseHandle: Handled {
  let matrix: SparseMatrix
  /// The host's arrays at a point, kept until preparing.
  init(_ m: SparseMatrix) { matrix = m }
}
final class SparseWorkspaceHandle: Handled {
  let workspace: SparseWorkspace
  let gate: UnsafeMutablePointer<ck_gate>
  init(_ w: SparseWorkspace) {
    workspace = w
    gate = .allocate(capacity: 1)
    gate.initialize(to: ck_gate())
  }
  deinit { gate.deallocate() }
}

/// The request that a constructor's arrays say; nil with the tape's failure set.
@inline(never) private func made(_ tape: OpaquePointer?, _ kind: Request.Kind, _ name: StaticString, _ outputs: Nodes?, _ outputCount: Int, _ variables: Nodes?, _ rates: Nodes?, _ variableCount: Int,
                                 _ data: Nodes?, _ dataCount: Int, weighted: Bool = false) -> OpaquePointer? {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  guard h.tape.failure == nil else { return nil }
  guard let y = h.nodes(outputs, outputCount, name), let x = h.nodes(variables, variableCount, name), let r = h.nodes(rates, kind == .combination ? variableCount : 0, name),
        let d = h.nodes(data, dataCount, name) else { return nil }
  var q = Request(kind, outputs: y, variables: x, data: d)
  q.rates = r
  q.weighted = weighted
  do { return makeHandle(.sparse, SparseHandle(try SparseMatrix(h.tape, q))) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}

@_cdecl("camber_sparse_jacobian") @implementation public func camber_sparse_jacobian(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! { made(tape, .jacobian, "sparse_jacobian", outputs, output_count, variables, nil, variable_count, data, data_count) }
@_cdecl("camber_sparse_hessian") @implementation public func camber_sparse_hessian(
  _ tape: OpaquePointer!, _ output: camber_node, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! {
  var y = output
  return withUnsafePointer(to: &y) { made(tape, .hessian, "sparse_hessian", $0, 1, variables, nil, variable_count, data, data_count) }
}
@_cdecl("camber_sparse_lagrangian") @implementation public func camber_sparse_lagrangian(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! { made(tape, .lagrangian, "sparse_lagrangian", outputs, output_count, variables, nil, variable_count, data, data_count) }
@_cdecl("camber_sparse_combination") @implementation public func camber_sparse_combination(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ variables: Nodes!, _ rates: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! { made(tape, .combination, "sparse_combination", outputs, output_count, variables, rates, variable_count, data, data_count) }
@_cdecl("camber_sparse_normal") @implementation public func camber_sparse_normal(
  _ tape: OpaquePointer!, _ residuals: Nodes!, _ residual_count: Int, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int, _ weighted: Int32
) -> OpaquePointer! { made(tape, .normal, "sparse_normal", residuals, residual_count, variables, nil, variable_count, data, data_count, weighted: weighted != 0) }
@_cdecl("camber_sparse_free") @implementation public func camber_sparse_free(_ sparse: OpaquePointer!) { freeHandle(.sparse, sparse) }

@inline(never) private func option(_ h: SparseHandle, _ name: String, _ value: Double) -> Failure? {
  let m = h.matrix
  guard !m.isPrepared else { return Failure(.invalid, "sparse: \(name) is set before preparing") }
  guard let k = Int32(exactly: value) else { return Failure(.invalid, "sparse: \(name) is a whole number, not \(value)") }
  switch name {
  case "format":
    guard let f = Request.Format(rawValue: k) else { return Failure(.invalid, "sparse: format is 0 (csr), 1 (csc) or 2 (coo), not \(k)") }
    guard f != .blocks else { return Failure(.invalid, "sparse: blocks are asked for with their groups, by camber_sparse_use_blocks") }
    m.request.format = f
  case "triangle":
    guard let t = Request.Triangle(rawValue: k) else { return Failure(.invalid, "sparse: triangle is 0 (full), 1 (lower) or 2 (upper), not \(k)") }
    guard k == 0 || m.request.isSymmetric || m.request.kind == .normal else { return Failure(.invalid, "sparse: triangle is of symmetric matrices, and a Jacobian is none") }
    m.request.triangle = t
  case "method":
    guard let f = Request.Method(rawValue: k) else { return Failure(.invalid, "sparse: no method has the number \(k)") }
    m.request.method = f
  case "order":
    guard k == 0 || Order(rawValue: k - 1) != nil else { return Failure(.invalid, "sparse: no order has the number \(k)") }
    m.request.order = Order(rawValue: k - 1)
  case "detection":
    guard let d = Detection(rawValue: k) else { return Failure(.invalid, "sparse: detection is 0 (auto), 1 (sets), 2 (words) or 3 (words backwards), not \(k)") }
    m.request.detection = d
  case "threads":
    guard k >= 0 else { return Failure(.invalid, "sparse: threads is a whole number, 0 for all processors, not \(k)") }
    m.request.threads = Int(k)
  default: return Failure(.invalid, "sparse: no option is called \(name); there are detection, format, method, order, threads, triangle")
  }
  return nil
}
@_cdecl("camber_sparse_set") @implementation public func camber_sparse_set(_ sparse: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "sparse: the option's name is NULL")) }
  return option(h, String(cString: name), value).map(h.fail) ?? 0
}

/// The host's entries, checked.
@inline(never) func hostPattern(_ name: String, _ m: Int, _ n: Int, _ rows: UnsafePointer<Int64>?, _ columns: UnsafePointer<Int64>?, _ count: Int) throws(Failure) -> Pattern {
  guard m >= 0, n >= 0, m < 1 << 30, n < 1 << 30 else { throw Failure(.invalid, "\(name): a matrix of \(UInt(bitPattern: m)) by \(UInt(bitPattern: n)); fewer than 2^30 each way are taken") }
  guard count >= 0, count < 1 << 31 else { throw Failure(.invalid, "\(name): \(UInt(bitPattern: count)) entries; fewer than 2^31 are taken") }
  guard count == 0 || rows != nil && columns != nil else { throw Failure(.invalid, "\(name): the entries are NULL") }
  let r = try Cells<Int32>(count), c = try Cells<Int32>(count)
  for k in 0 ..< count {
    let i = rows.unsafelyUnwrapped[k], j = columns.unsafelyUnwrapped[k]
    guard i >= 0, i < m, j >= 0, j < n else { throw Failure(.invalid, "\(name): entry \(k) is (\(i), \(j)) of a matrix of \(m) by \(n); they count from 0") }
    (r[k], c[k]) = (Int32(i), Int32(j))
  }
  return Pattern(rowCount: m, columnCount: n, rows: r.array, columns: c.array)
}
@inline(never) private func usePattern(_ h: SparseHandle, _ rows: UnsafePointer<Int64>?, _ columns: UnsafePointer<Int64>?, _ count: Int) -> camber_status {
  guard !h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: a pattern is given before preparing")) }
  do {
    h.matrix.request.pattern = try hostPattern("sparse", h.matrix.linear.rowCount, h.matrix.linear.columnCount, rows, columns, count)
    return 0
  } catch { return h.fail(error) }
}
@_cdecl("camber_sparse_use_pattern") @implementation public func camber_sparse_use_pattern(
  _ sparse: OpaquePointer!, _ rows: UnsafePointer<Int64>!, _ columns: UnsafePointer<Int64>!, _ count: Int
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return usePattern(h, rows, columns, count)
}
@inline(never) private func useColours(_ h: SparseHandle, _ rows: UnsafePointer<Int32>?, _ m: Int, _ columns: UnsafePointer<Int32>?, _ n: Int) -> camber_status {
  guard !h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: colors are given before preparing")) }
  let l = h.matrix.linear
  if rows != nil, m != l.rowCount { return h.fail(Failure(.invalid, "sparse: \(UInt(bitPattern: m)) colors of \(l.rowCount) rows")) }
  if columns != nil, n != l.columnCount { return h.fail(Failure(.invalid, "sparse: \(UInt(bitPattern: n)) colors of \(l.columnCount) columns")) }
  h.matrix.request.rowColours = rows.map { Array(UnsafeBufferPointer(start: $0, count: m)) }
  h.matrix.request.columnColours = columns.map { Array(UnsafeBufferPointer(start: $0, count: n)) }
  return 0
}
@_cdecl("camber_sparse_use_colors") @implementation public func camber_sparse_use_colors(
  _ sparse: OpaquePointer!, _ row_colors: UnsafePointer<Int32>!, _ row_count: Int, _ column_colors: UnsafePointer<Int32>!, _ column_count: Int
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return useColours(h, row_colors, row_count, column_colors, column_count)
}
@inline(never) private func useBlocks(_ h: SparseHandle, _ rows: UnsafePointer<Int64>?, _ m: Int, _ columns: UnsafePointer<Int64>?, _ n: Int) -> camber_status {
  guard !h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: blocks are asked for before preparing")) }
  guard h.matrix.request.kind != .normal else { return h.fail(Failure(.invalid, "sparse: blocks are of Jacobians and Hessians")) }
  guard m >= 0, n >= 0, m <= 1 << 30, n <= 1 << 30, rows != nil || m == 0, columns != nil || n == 0 else { return h.fail(Failure(.invalid, "sparse: the sizes of the groups are NULL, or too many")) }
  for k in 0 ..< m + n {
    let size = k < m ? rows.unsafelyUnwrapped[k] : columns.unsafelyUnwrapped[k - m]
    guard size >= 0, size <= 1 << 30 else { return h.fail(Failure(.invalid, "sparse: a group of \(size) \(k < m ? "rows" : "columns")")) }
  }
  h.matrix.request.rowGroups = (0 ..< m).map { Int(rows.unsafelyUnwrapped[$0]) }
  h.matrix.request.columnGroups = (0 ..< n).map { Int(columns.unsafelyUnwrapped[$0]) }
  h.matrix.request.triangle = .full
  h.matrix.request.format = .blocks
  return 0
}
@_cdecl("camber_sparse_use_blocks") @implementation public func camber_sparse_use_blocks(
  _ sparse: OpaquePointer!, _ row_sizes: UnsafePointer<Int64>!, _ row_groups: Int, _ column_sizes: UnsafePointer<Int64>!, _ column_groups: Int
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return useBlocks(h, row_sizes, row_groups, column_sizes, column_groups)
}
@inline(never) private func usePoint(_ h: SparseHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
  guard !h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: a point is given before preparing")) }
  guard let inputs else { return h.fail(Failure(.invalid, "sparse: the array of inputs is NULL")) }
  var list: [UnsafeRawPointer] = []
  for i in h.matrix.linear.inputs.indices {
    guard let p = inputs[i] else { return h.fail(Failure(.invalid, "sparse: input \(i) is NULL")) }
    list.append(p)
  }
  h.matrix.request.point = list
  return 0
}
@_cdecl("camber_sparse_use_point") @implementation public func camber_sparse_use_point(_ sparse: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return usePoint(h, inputs)
}
@_cdecl("camber_sparse_prepare") @implementation public func camber_sparse_prepare(_ sparse: OpaquePointer!) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  do { try h.matrix.prepare() } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_sparse_message") @implementation public func camber_sparse_message(_ sparse: OpaquePointer!) -> UnsafePointer<CChar>! {
  sparseHandle(sparse)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_sparse_row_count") @implementation public func camber_sparse_row_count(_ sparse: OpaquePointer!) -> Int { sparseHandle(sparse).map { $0.matrix.isPrepared ? $0.matrix.rowCount : 0 } ?? 0 }
@_cdecl("camber_sparse_column_count") @implementation public func camber_sparse_column_count(_ sparse: OpaquePointer!) -> Int {
  sparseHandle(sparse).map { $0.matrix.isPrepared ? $0.matrix.columnCount : 0 } ?? 0
}
@_cdecl("camber_sparse_value_count") @implementation public func camber_sparse_value_count(_ sparse: OpaquePointer!) -> Int { sparseHandle(sparse)?.matrix.count ?? 0 }
@_cdecl("camber_sparse_value_dtype") @implementation public func camber_sparse_value_dtype(_ sparse: OpaquePointer!) -> camber_dtype { sparseHandle(sparse)?.matrix.dtype.rawValue ?? -1 }
@_cdecl("camber_sparse_method") @implementation public func camber_sparse_method(_ sparse: OpaquePointer!) -> Int32 { sparseHandle(sparse)?.matrix.method.rawValue ?? 0 }

@_cdecl("camber_sparse_detection") @implementation public func camber_sparse_detection(_ sparse: OpaquePointer!) -> Int32 { sparseHandle(sparse)?.matrix.detection.rawValue ?? 0 }

@inline(never) private func exported(_ h: SparseHandle, _ format: Int32, _ bits: Int32, _ base: Int32, _ first: UnsafeMutableRawPointer?, _ second: UnsafeMutableRawPointer?) -> camber_status {
  guard h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: prepare before asking for the pattern")) }
  guard let f = Request.Format(rawValue: format) else { return h.fail(Failure(.invalid, "sparse: format is 0 (csr), 1 (csc), 2 (coo) or 3 (blocks), not \(format)")) }
  guard bits == 32 || bits == 64 else { return h.fail(Failure(.invalid, "sparse: indices of \(bits) bits; 32 or 64 are given")) }
  guard base == 0 || base == 1 else { return h.fail(Failure(.invalid, "sparse: base \(base); patterns count from 0 or 1")) }
  do { try h.matrix.export(f, wide: bits == 64, base: Int(base), first, second) } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_sparse_pattern") @implementation public func camber_sparse_pattern(
  _ sparse: OpaquePointer!, _ format: Int32, _ bits: Int32, _ base: Int32, _ first: UnsafeMutableRawPointer!, _ second: UnsafeMutableRawPointer!
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return exported(h, format, bits, base, first, second)
}
@inline(never) private func colours(_ h: SparseHandle, _ rows: UnsafeMutablePointer<Int32>?, _ columns: UnsafeMutablePointer<Int32>?, _ rowCount: UnsafeMutablePointer<Int32>?,
                                    _ columnCount: UnsafeMutablePointer<Int32>?) -> camber_status {
  guard h.matrix.isPrepared else { return h.fail(Failure(.invalid, "sparse: prepare before asking for colors")) }
  do {
    let c = try h.matrix.colours()
    write(c, h.matrix.whole, rows, columns)
    rowCount?.pointee = Int32(c.rowCount)
    columnCount?.pointee = Int32(c.columnCount)
    return 0
  } catch { return h.fail(error) }
}
private func write(_ c: Colouring, _ p: Pattern, _ rows: UnsafeMutablePointer<Int32>?, _ columns: UnsafeMutablePointer<Int32>?) {
  if let rows { for i in 0 ..< p.rowCount { rows[i] = c.rowColours.isEmpty ? 0 : c.rowColours[i] } }
  if let columns { for j in 0 ..< p.columnCount { columns[j] = c.columnColours.isEmpty ? 0 : c.columnColours[j] } }
}
@_cdecl("camber_sparse_colors") @implementation public func camber_sparse_colors(
  _ sparse: OpaquePointer!, _ row_colors: UnsafeMutablePointer<Int32>!, _ column_colors: UnsafeMutablePointer<Int32>!, _ row_color_count: UnsafeMutablePointer<Int32>!,
  _ column_color_count: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return colours(h, row_colors, column_colors, row_color_count, column_color_count)
}

@inline(never) private func workspace(_ h: SparseHandle) -> OpaquePointer? {
  do {
    try h.matrix.prepare()
    return makeHandle(.sparseWorkspace, SparseWorkspaceHandle(try SparseWorkspace(h.matrix)))
  } catch {
    _ = h.fail(error)
    return nil
  }
}
@_cdecl("camber_sparse_workspace_new") @implementation public func camber_sparse_workspace_new(_ sparse: OpaquePointer!) -> OpaquePointer! { sparseHandle(sparse).flatMap(workspace) }
@_cdecl("camber_sparse_workspace_free") @implementation public func camber_sparse_workspace_free(_ workspace: OpaquePointer!) { freeHandle(.sparseWorkspace, workspace) }
@_cdecl("camber_sparse_workspace_message") @implementation public func camber_sparse_workspace_message(_ workspace: OpaquePointer!) -> UnsafePointer<CChar>! {
  sparseWorkspaceHandle(workspace)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@inline(never) private func run(_ h: SparseWorkspaceHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?, _ values: UnsafeMutableRawPointer?) -> camber_status {
  let way = ck_gate_enter(h.gate)
  guard way != 0 else { return CAMBER_EBUSY.raw }
  defer { ck_gate_leave(h.gate, way) }
  guard let inputs, let values = values ?? (h.workspace.matrix.count == 0 ? UnsafeMutableRawPointer(bitPattern: 8) : nil) else {
    return h.fail(Failure(.invalid, "sparse: the array of inputs or of values is NULL"))
  }
  let code = h.workspace.values(inputs, values)
  if code.rawValue < 0 { return h.fail(Failure(code, h.workspace.message)) }
  return code.rawValue
}
@_cdecl("camber_sparse_values") @implementation public func camber_sparse_values(
  _ workspace: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!, _ values: UnsafeMutableRawPointer!
) -> camber_status {
  guard let h = sparseWorkspaceHandle(workspace) else { return CAMBER_EHANDLE.raw }
  return run(h, inputs, values)
}
@inline(never) private func checked(_ h: SparseHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?, _ probes: Int32, _ tolerance: Double) -> camber_status {
  guard let inputs, probes >= 1, tolerance >= 0 else { return h.fail(Failure(.invalid, "sparse: a check wants inputs, one probe or more, and a tolerance that is not negative")) }
  do {
    try h.matrix.prepare()
    try h.matrix.check(inputs, probes: Int(min(probes, 1024)), tolerance)
    return 0
  } catch { return h.fail(error) }
}
@_cdecl("camber_sparse_check") @implementation public func camber_sparse_check(
  _ sparse: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!, _ probes: Int32, _ tolerance: Double
) -> camber_status {
  guard let h = sparseHandle(sparse) else { return CAMBER_EHANDLE.raw }
  return checked(h, inputs, probes, tolerance)
}

@inline(never) private func colour(_ kind: UnsafePointer<CChar>?, _ order: Int32, _ m: Int, _ n: Int, _ rows: UnsafePointer<Int64>?, _ columns: UnsafePointer<Int64>?, _ count: Int,
                                   _ rowColours: UnsafeMutablePointer<Int32>?, _ columnColours: UnsafeMutablePointer<Int32>?, _ colourCount: UnsafeMutablePointer<Int32>?) throws(Failure) {
  guard let kind, let k = ColouringKind.named(String(cString: kind)) else {
    throw Failure(.invalid, "color: kind is column, row, star, acyclic, star_bicoloring or acyclic_bicoloring")
  }
  guard order == 0 || Order(rawValue: order - 1) != nil else { throw Failure(.invalid, "color: no order has the number \(order)") }
  let p = try hostPattern("color", m, n, rows, columns, count)
  let c = try Colouring.make(p, k, order: Order(rawValue: order - 1))
  write(c, p, rowColours, columnColours)
  colourCount?.pointee = Int32(c.count)
}
@_cdecl("camber_color") @implementation public func camber_color(
  _ kind: UnsafePointer<CChar>!, _ order: Int32, _ row_count: Int, _ column_count: Int, _ rows: UnsafePointer<Int64>!, _ columns: UnsafePointer<Int64>!, _ count: Int,
  _ row_colors: UnsafeMutablePointer<Int32>!, _ column_colors: UnsafeMutablePointer<Int32>!, _ color_count: UnsafeMutablePointer<Int32>!, _ message: UnsafeMutablePointer<CChar>!,
  _ message_size: Int
) -> camber_status {
  do { try colour(kind, order, row_count, column_count, rows, columns, count, row_colors, column_colors, color_count) } catch {
    if let message, message_size > 0 {
      strncpy(message, error.message, message_size - 1)
      message[message_size - 1] = 0
    }
    return error.code.rawValue
  }
  return 0
}
