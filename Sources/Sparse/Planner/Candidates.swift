import CKernels
package import Runtime
package import Tape

extension SparseMatrix {
  /// Entries by vertex elimination.
  func eliminated() throws(Failure) -> (Pattern, Sources) {
    let t = linear.tape
    guard request.pattern == nil, request.rowColours == nil, request.columnColours == nil, request.kind != .combination else {
      throw Failure(.invalid, "\(request.name): method elimination finds its own pattern, and is not for combinations")
    }
    guard let e = t.eliminate(linear.outputs, linear.variables, .best, anneal: !request.hurried, most: request.most, name: request.name) else { throw t.failure ?? Failure(.invalid, request.name) }
    if e.exceeds {
      exceeding = e.cost
      throw Failure(.invalid, "\(request.name): \(e.cost.products + e.cost.sums) operations")
    }
    var starts = [0], at = 0
    for i in 0 ..< e.rowCount {
      while at < e.rows.count, e.rows[at] <= i { at += 1 }
      starts.append(at)
    }
    let found = Pattern(rowCount: e.rowCount, columnCount: e.columnCount, starts: starts, columns: e.columns)
    // A symmetric matrix has the mirror of every entry: zero where elimination found none.
    let p = request.isSymmetric ? found.symmetrised : found
    var s = Sources(try Cells<Int32>(p.count))
    if !e.values.isEmpty { s.outputs = [t.cast(t.chained(e.values.map { t.reshape($0, [1]) }, axis: -1), dtype)] }
    if p.count > found.count { s.constants = [0] }
    for i in 0 ..< p.rowCount {
      var k = found.starts[i]
      for q in p.starts[i] ..< p.starts[i + 1] {
        while k < found.starts[i + 1], found.columns[k] < p.columns[q] { k += 1 }
        s.index[q] = k < found.starts[i + 1] && found.columns[k] == p.columns[q] ? Int32(k) : Int32(e.values.count)
      }
    }
    if let f = t.failure { throw f }
    return (p, s)
  }
}

extension PlanMethod {
  /// What a sparse matrix calls it.
  package var sparse: Request.Method? {
    switch self {
    case .compressedForward: .forward
    case .compressedReverse: .reverse
    case .starBicolouring: .starBicolouring
    case .acyclicBicolouring: .acyclicBicolouring
    case .star: .star
    case .acyclic: .acyclic
    case .accumulate: .accumulate
    case .elimination: .elimination
    case .edgePushing: .edgePushing
    default: nil
    }
  }
}

extension MethodPlan {
  /// Why colours of a kind cannot pay for a pattern, before they are looked for.
  private func hopeless(_ m: PlanMethod, _ p: Pattern) -> String? {
    let size = Double(rowCount) * Double(columnCount), full = !isSparse && Double(p.count) > 0.5 * size
    switch m {
    case .compressedForward, .compressedReverse, .star: return full ? "half of the matrix or more is not zero" : nil
    case .starBicolouring, .acyclicBicolouring:
      let one = min(p.longestRow, 2 * p.transposed.longestRow)
      // A product gives as many numbers as the matrix has rows, or columns: all entries want so many, a reverse product counted twice.
      let both = Double(p.count) * min(1 / Double(max(rowCount, 1)), 2 / Double(max(columnCount, 1)))
      if one < 8 || both > 0.6 * Double(one) { return "no rows or columns stand out: one side's colors do" }
      return m == .acyclicBicolouring && found(.starBicolouring) < 8 ? "a direct bicoloring needs few colors" : nil
    case .acyclic: return found(.star) < 6 ? "a star coloring needs few colors" : nil
    default: return nil
    }
  }
  private func found(_ m: PlanMethod) -> Int { entries.first { $0.method == m && $0.made }?.colours ?? .max }

  /// A method of sparse matrices: as such, or, where a dense one is wanted, with every entry put into its place.
  func sparse(_ m: PlanMethod, _ e: inout PlanEntry) -> Made? {
    guard let method = m.sparse, let (t, y, x, d) = copied() else { e.reason = "memory was refused"; return nil }
    do throws(Failure) {
      var q = Request(isHessian ? .hessian : .jacobian, outputs: y, variables: x, data: d)
      q.method = method
      q.hurried = !accurate
      q.most = most
      // What one method has found is the pattern for the next that wants colours.
      var given = q
      if method.kind != nil, pattern == nil {
        let p = try Linearised(t, q).detect().pattern
        pattern = isHessian ? p.symmetrised : p
      }
      if method.kind != nil, let p = pattern {
        if let why = hopeless(m, p) { e.reason = why; return nil }
        given.pattern = p
      }
      let matrix = try SparseMatrix(t, given), s: Sources
      do throws(Failure) { s = try matrix.sourced() } catch {
        if let c = matrix.exceeding {
          e.count(c, machine: Calibration.shared)
          return nil
        }
        throw error
      }
      if pattern == nil, method == .accumulate || method.kind != nil { pattern = matrix.whole }
      let entries = matrix.whole.count
      var outputs = s.outputs
      if let c = matrix.colouring, !isSparse {
        guard c.count < (m == .compressedReverse ? rowCount : columnCount) else { e.reason = "as many colors as a dense method has passes"; return nil }
      }
      if !isSparse { outputs = try matrix.blocks(s) }
      outputs = t.simplify(outputs)
      if let f = t.failure { throw f }
      let colours = matrix.colouring.map { $0.count } ?? 0
      let deep = m == .acyclic || m == .acyclicBicolouring ? 4.0 : 1
      return Made(tape: t, inputs: matrix.linear.inputs, outputs: outputs, colours: colours, passes: max(colours, 1), sparse: isSparse ? matrix : nil,
                  extra: isSparse ? Double(entries) : 0, amplification: deep)
    } catch {
      e.reason = error.message
      return nil
    }
  }
}

extension SparseMatrix {
  /// The dense matrix of a Jacobian or Hessian, block by block as `Tape.jacobian` gives them, from what a compressed method computes.
  package func blocks(_ s: Sources) throws(Failure) -> [NodeID] {
    let t = linear.tape
    guard s.steps.isEmpty, s.also.isEmpty else { throw Failure(.invalid, "a dense matrix wants entries that are read off directly") }
    let m = linear.rowCount, n = linear.columnCount
    guard m * n <= 1 << 26 else { throw Failure(.invalid, "a dense matrix of \(m) x \(n)") }
    var flat: [NodeID] = [], at = 0
    for o in s.outputs {
      flat.append(t.cast(t.reshape(o, [t.type(o).count]), dtype))
      at += t.type(o).count
    }
    for c in s.constants { flat.append(t.reshape(t.constant(dtype, c), [1])) }
    let zero = at + s.constants.count
    flat.append(t.full(TensorType(dtype, [1]), 0))
    let all = t.chained(flat, axis: -1)
    var result: [NodeID] = []
    for (o, y) in linear.outputs.enumerated() {
      for (v, x) in linear.variables.enumerated() {
        let rows = linear.rowStarts[o] ..< linear.rowStarts[o + 1], columns = linear.columnStarts[v] ..< linear.columnStarts[v + 1]
        let index = try Cells<Int64>(rows.count * columns.count, filling: Int64(zero))
        for i in rows {
          for k in whole.starts[i] ..< whole.starts[i + 1] where columns.contains(Int(whole.columns[k])) {
            index[(i - rows.lowerBound) * columns.count + Int(whole.columns[k]) - columns.lowerBound] = Int64(s.index[k])
          }
        }
        let places = t.array(TensorType(.i64, [rows.count * columns.count]), index.p)
        result.append(t.reshape(t.cast(t.gather(all, places, axis: -1), t.dtype(y)), t.shape(y) + t.shape(x)))
      }
    }
    if let f = t.failure { throw f }
    return result
  }
}

/// A candidate with memory of its own, ready to be timed: the program and, of a sparse matrix, the reading of its entries.
final class Taster {
  private var runner: Runner?
  private var matrix: SparseMatrix?, workspace: SparseWorkspace?, values: Cells<UInt8>?
  private var point: [UnsafeRawPointer?] = []
  private(set) var memory = 0

  init?(_ made: MethodPlan.Made, _ given: [UnsafeRawPointer?]) {
    do throws(Failure) {
      if let m = made.sparse {
        try m.prepare()
        let w = try SparseWorkspace(m)
        (matrix, workspace) = (m, w)
        values = try Cells<UInt8>(max(m.count * m.size, 1))
        point = given
        memory = m.program?.memory ?? 0
      } else {
        let p = try Program(made.tape, inputs: made.inputs, outputs: made.outputs)
        _ = p.set("check_guards", 0)
        guard let r = Runner(p, given) else { return nil }
        runner = r
        memory = p.memory
      }
    } catch { return nil }
  }

  func run() -> Double? {
    guard let workspace, let values else { return runner?.run() }
    let begin = Calibration.now(), code = point.withUnsafeBufferPointer { p in
      p.baseAddress.map { workspace.values($0, UnsafeMutableRawPointer(values.p)) } ?? .invalid
    }
    return code.rawValue >= 0 ? Calibration.now() - begin : nil
  }
}
