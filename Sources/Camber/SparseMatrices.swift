import Sparse
import Tape

/// A sparse derivative: its pattern once, values as often as wanted. Options (format, triangle, method, order, threads) stand in camber_sparse.h.
public final class SparseDerivative {
  public enum Method: Int32, Sendable { case auto, accumulate, forward, reverse, star, acyclic, starBicoloring, acyclicBicoloring, elimination, edgePushing }
  /// How a pattern is found: camber_sparse.h says when which serves.
  public enum Detection: Int32, Sendable { case auto, sets, words, reverseWords }
  public enum Format: Int32, Sendable { case csr, csc, coo }
  public enum Triangle: Int32, Sendable { case full, lower, upper }
  private let core: SparseMatrix
  private let space: SparseWorkspace

  private init(_ tape: Tape, _ q: Request, _ method: Method, _ format: Format, _ triangle: Triangle, _ detection: Detection = .auto) throws {
    try tape.check()
    var q = q
    q.method = Request.Method(rawValue: method.rawValue) ?? .auto
    q.format = Request.Format(rawValue: format.rawValue) ?? .csr
    q.detection = Sparse.Detection(rawValue: detection.rawValue) ?? .auto
    q.triangle = Request.Triangle(rawValue: triangle.rawValue) ?? .full
    let request = q
    core = try translated { () throws(Failure) in
      let m = try SparseMatrix(tape.core, request)
      try m.prepare()
      return m
    }
    let m = core
    space = try translated { () throws(Failure) in try SparseWorkspace(m) }
  }
  private static func request(_ tape: Tape, _ kind: Request.Kind, _ outputs: [Node], _ variables: [Node], _ data: [Node]) -> Request {
    Request(kind, outputs: outputs.map(tape.id), variables: variables.map(tape.id), data: data.map(tape.id))
  }
  public static func jacobian(_ tape: Tape, _ outputs: [Node], _ variables: [Node], data: [Node] = [], method: Method = .auto, format: Format = .csr, detection: Detection = .auto) throws -> SparseDerivative {
    try SparseDerivative(tape, request(tape, .jacobian, outputs, variables, data), method, format, .full, detection)
  }
  public static func hessian(_ tape: Tape, _ output: Node, _ variables: [Node], data: [Node] = [], method: Method = .auto, format: Format = .csr, triangle: Triangle = .full,
                             detection: Detection = .auto) throws -> SparseDerivative {
    try SparseDerivative(tape, request(tape, .hessian, [output], variables, data), method, format, triangle, detection)
  }
  /// The Hessian of the weighted sum of all outputs; values takes, behind the data, a weight an element.
  public static func lagrangian(_ tape: Tape, _ outputs: [Node], _ variables: [Node], data: [Node] = [], method: Method = .auto, format: Format = .csr, triangle: Triangle = .full) throws -> SparseDerivative {
    try SparseDerivative(tape, request(tape, .lagrangian, outputs, variables, data), method, format, triangle)
  }
  /// alpha dF/dy + beta dF/dy', of as many rates as variables; values takes y, y', the data, [alpha], [beta].
  public static func combination(_ tape: Tape, _ outputs: [Node], _ variables: [Node], rates: [Node], data: [Node] = [], method: Method = .auto, format: Format = .csr) throws -> SparseDerivative {
    var q = request(tape, .combination, outputs, variables, data)
    q.rates = rates.map(tape.id)
    return try SparseDerivative(tape, q, method, format, .full)
  }
  /// J^T J of residuals, or J^T diag(w) J with w behind the data.
  public static func normal(_ tape: Tape, _ residuals: [Node], _ variables: [Node], data: [Node] = [], weighted: Bool = false, format: Format = .csr, triangle: Triangle = .full) throws -> SparseDerivative {
    var q = request(tape, .normal, residuals, variables, data)
    q.weighted = weighted
    return try SparseDerivative(tape, q, .auto, format, triangle)
  }

  public var rowCount: Int { core.rowCount }
  public var columnCount: Int { core.columnCount }
  public var count: Int { core.count }
  /// How the pattern was found; auto: the entries themselves told.
  public var detection: Detection { Detection(rawValue: core.detection.rawValue) ?? .auto }
  public var method: Method { Method(rawValue: core.method.rawValue) ?? .auto }
  /// The row and the column of each value.
  public var entries: [(row: Int, column: Int)] {
    let rows = core.pattern.entryRows
    guard let order = core.order else { return [] }
    return (0 ..< core.count).map { (Int(rows[Int(order[$0])]), Int(core.pattern.columns[Int(order[$0])])) }
  }
  /// Of csr the rows' starts, of csc the columns'.
  public var starts: [Int] { core.request.format == .csc ? core.pattern.transposed.starts : core.pattern.starts }
  public var colors: (rows: [Int32], columns: [Int32]) {
    get throws {
      let m = core
      let c = try translated { () throws(Failure) in try m.colours() }
      return (c.rowColours, c.columnColours)
    }
  }
  /// Values at a point: an array for each variable, then for each of the data and weights, all as doubles.
  public func values(_ inputs: [[Double]]) throws -> [Double] {
    let types = core.inputTypes
    guard inputs.count == types.count, zip(inputs, types).allSatisfy({ $0.count == $1.count }) else {
      throw CamberError(Failure(.shape, "sparse: \(inputs.count) arrays, or their counts of elements, are not those of the \(types.count) inputs"))
    }
    let room = try zip(inputs, types).map { values, type -> UnsafeMutableRawPointer in
      let p = UnsafeMutableRawPointer.allocate(byteCount: max(values.count, 1) * 8, alignment: 8)
      for (i, v) in values.enumerated() {
        switch type.dtype {
        case .f64: p.storeBytes(of: v, toByteOffset: 8 * i, as: Double.self)
        case .f32: p.storeBytes(of: Float(v), toByteOffset: 4 * i, as: Float.self)
        case .i64: p.storeBytes(of: Int64(exactly: v) ?? 0, toByteOffset: 8 * i, as: Int64.self)
        case .i32: p.storeBytes(of: Int32(exactly: v) ?? 0, toByteOffset: 4 * i, as: Int32.self)
        default: throw CamberError(Failure(.dtype, "sparse: an input is \(type.description); values takes doubles for floats and integers"))
        }
      }
      return p
    }
    defer { for p in room { p.deallocate() } }
    let size = core.dtype == .f64 ? 8 : 4, out = UnsafeMutableRawPointer.allocate(byteCount: max(core.count, 1) * size, alignment: 8)
    defer { out.deallocate() }
    let pointers = room.map { UnsafeRawPointer?($0) } + [nil]
    let code = pointers.withUnsafeBufferPointer { p in p.baseAddress.map { space.values($0, out) } ?? .invalid }
    if code.rawValue < 0 { throw CamberError(Failure(code, space.message)) }
    return (0 ..< core.count).map { size == 8 ? out.load(fromByteOffset: 8 * $0, as: Double.self) : Double(out.load(fromByteOffset: 4 * $0, as: Float.self)) }
  }
}

/// Colours of a pattern, from 1; 0: no product is needed.
public func color(_ kind: String, rows: [Int], columns: [Int], rowCount: Int, columnCount: Int) throws -> (rows: [Int32], columns: [Int32]) {
  guard let k = ColouringKind.named(kind) else { throw CamberError(Failure(.invalid, "color: kind is column, row, star, acyclic, star_bicoloring or acyclic_bicoloring")) }
  guard rows.count == columns.count, rowCount >= 0, columnCount >= 0, rowCount < 1 << 30, columnCount < 1 << 30,
        rows.allSatisfy({ $0 >= 0 && $0 < rowCount }), columns.allSatisfy({ $0 >= 0 && $0 < columnCount }) else {
    throw CamberError(Failure(.invalid, "color: the entries are not within \(rowCount) by \(columnCount), or rows and columns not as many"))
  }
  let p = Pattern(rowCount: rowCount, columnCount: columnCount, rows: rows.map { Int32($0) }, columns: columns.map { Int32($0) })
  let c = try translated { () throws(Failure) in try Colouring.make(p, k) }
  return (c.rowColours, c.columnColours)
}
