package import Runtime
package import Tape

extension SparseMatrix {
  /// The pattern as numbers of one width.
  package func export(_ format: Request.Format, wide: Bool, base: Int, _ first: UnsafeMutableRawPointer?, _ second: UnsafeMutableRawPointer?) throws(Failure) {
    guard format == .coo || format == request.format else {
      throw Failure(.invalid, "sparse: the values are in the order of \(request.format == .csc ? "csc" : request.format == .csr ? "csr" : request.format == .coo ? "coo" : "blocks"); set format before preparing, or take coo")
    }
    let p = pattern, largest = max(p.rowCount, p.columnCount, format == .coo ? 0 : p.count) + base
    guard wide || largest <= Int(Int32.max) else { throw Failure(.invalid, "sparse: \(largest) does not fit into 32 bits; take 64") }
    func put(_ to: UnsafeMutableRawPointer, _ k: Int, _ v: Int) {
      if wide { to.storeBytes(of: Int64(v + base), toByteOffset: 8 * k, as: Int64.self) } else { to.storeBytes(of: Int32(truncatingIfNeeded: v + base), toByteOffset: 4 * k, as: Int32.self) }
    }
    switch format {
    case .csr:
      if let first { for i in 0 ... p.rowCount { put(first, i, p.starts[i]) } }
      if let second { for e in 0 ..< p.count { put(second, e, Int(p.columns[e])) } }
    case .csc:
      let t = p.transposed
      if let first { for j in 0 ... p.columnCount { put(first, j, t.starts[j]) } }
      if let second { for e in 0 ..< p.count { put(second, e, Int(t.columns[e])) } }
    case .blocks:
      if let first { for (g, v) in blockStarts.enumerated() { put(first, g, v) } }
      if let second { for (k, v) in blockColumns.enumerated() { put(second, k, Int(v)) } }
    case .coo:
      let rows = p.entryRows
      guard let order else { return }
      for k in 0 ..< p.count {
        let e = Int(order[k])
        if let first { put(first, k, Int(rows[e])) }
        if let second { put(second, k, Int(p.columns[e])) }
      }
    }
  }

  /// The colours, also where the method needs none.
  package func colours() throws(Failure) -> Colouring {
    if let c = colouring { return c }
    if whole.count == 0 { return Colouring(kind: request.isSymmetric ? .star : .column) }
    if request.isSymmetric { return try Colouring.make(whole, .star, order: request.order) }
    let c = try Colouring.make(whole, .column, order: request.order)
    if c.count <= 2 * whole.transposed.longestRow { return c }
    let r = try Colouring.make(whole, .row, order: request.order)
    return 2 * r.count < c.count ? r : c
  }

  /// Products of the matrix against those of the derivative itself, along directions drawn by a fixed generator.
  package func check(_ inputs: UnsafePointer<UnsafeRawPointer?>, probes: Int, _ tolerance: Double) throws(Failure) {
    guard request.kind != .normal else { throw Failure(.invalid, "sparse: a check is of Jacobians and Hessians") }
    let l = linear, t = l.tape, w = try SparseWorkspace(self), values = try Cells<UInt8>(count * size)
    let code = w.values(inputs, values.p)
    if code.rawValue < 0 { throw Failure(code, w.message) }
    if l.forwardFails != nil { return try checkBackwards(inputs, values, probes, tolerance) }
    let forward = try Program(t, inputs: l.inputs + l.tangents, outputs: l.results), space = try Workspace(forward)
    _ = forward.set("check_guards", 0)
    var given = l.inputs.indices.map { inputs[$0] }, seeds: [Cells<UInt8>] = [], out: [Cells<UInt8>] = [], direction = [Double](repeating: 0, count: l.columnCount)
    for d in l.tangents {
      let c = try Cells<UInt8>(t.type(d).bytes)
      seeds.append(c)
      given.append(UnsafeRawPointer(c.p))
    }
    for r in l.results { out.append(try Cells<UInt8>(t.type(r).bytes)) }
    var state: UInt64 = 0x1234_5678_9ABC_DEF1
    let rows = pattern.entryRows
    for _ in 0 ..< probes {
      for (k, d) in l.tangents.enumerated() {
        for i in 0 ..< t.type(d).count {
          let v = draw(&state)
          direction[l.columnStarts[k] + i] = v
          put(v, seeds[k].p, t.dtype(d), i)
        }
      }
      try run(space, given, out)
      var sum = [Double](repeating: 0, count: l.rowCount), scale = sum
      func add(_ i: Int, _ j: Int, _ v: Double) {
        sum[i] += v * direction[j]
        scale[i] = max(scale[i], abs(v * direction[j]))
      }
      for k in 0 ..< count {
        let e = Int(order.unsafelyUnwrapped[k]), i = Int(rows[e]), j = Int(pattern.columns[e]), v = number(values.p, dtype, k)
        add(i, j, v)
        if request.isSymmetric, request.triangle != .full, i != j { add(j, i, v) }
      }
      for (k, r) in l.results.enumerated() {
        for i in 0 ..< t.type(r).count {
          let row = l.rowStarts[k] + i, exact = number(out[k].p, t.dtype(r), i)
          // A value that is not finite on both sides says nothing.
          if !exact.isFinite && !sum[row].isFinite { continue }
          if !(abs(exact - sum[row]) <= tolerance * max(scale[row], abs(exact))) { try blame(row, inputs, values, tolerance) }
        }
      }
    }
  }

  /// The same with products from the left, where there is no forward mode: a column that differs, then its row by halving.
  private func checkBackwards(_ inputs: UnsafePointer<UnsafeRawPointer?>, _ values: Cells<UInt8>, _ probes: Int, _ tolerance: Double) throws(Failure) {
    let l = linear, t = l.tape, m = l.rowCount, cotangents = l.outputs.map { t.input(t.type($0)) }, back = t.vjp(l.outputs, cotangents, l.variables)
    if let f = t.failure { throw f }
    let p = try Program(t, inputs: l.inputs + cotangents, outputs: back), space = try Workspace(p)
    _ = p.set("check_guards", 0)
    var given = l.inputs.indices.map { inputs[$0] }, seeds: [Cells<UInt8>] = [], out: [Cells<UInt8>] = []
    for c in cotangents {
      seeds.append(try Cells<UInt8>(t.type(c).bytes))
      given.append(UnsafeRawPointer(seeds[seeds.count - 1].p))
    }
    for b in back { out.append(try Cells<UInt8>(t.type(b).bytes)) }
    let rows = pattern.entryRows
    /// How far columns differ, weighted, over what is allowed; NaN where both sides are not finite.
    func differences(_ weight: [Double], _ only: Range<Int>) throws(Failure) -> [Double] {
      for (k, c) in cotangents.enumerated() {
        for i in 0 ..< t.type(c).count {
          let v = only.contains(l.rowStarts[k] + i) ? weight[l.rowStarts[k] + i] : 0
          put(v, seeds[k].p, t.dtype(c), i)
        }
      }
      try run(space, given, out)
      var sum = [Double](repeating: 0, count: l.columnCount), scale = sum
      for k in 0 ..< count {
        let e = Int(order.unsafelyUnwrapped[k]), i = Int(rows[e]), j = Int(pattern.columns[e])
        guard only.contains(i) else { continue }
        let v = number(values.p, dtype, k) * weight[i]
        sum[j] += v
        scale[j] = max(scale[j], abs(v))
      }
      for (k, b) in back.enumerated() {
        for i in 0 ..< t.type(b).count {
          let j = l.columnStarts[k] + i, exact = number(out[k].p, t.dtype(b), i)
          sum[j] = !exact.isFinite && !sum[j].isFinite ? 0 : exact == sum[j] ? 0 : abs(exact - sum[j]) / max(tolerance * max(scale[j], abs(exact)), .leastNonzeroMagnitude)
        }
      }
      return sum
    }
    var state: UInt64 = 0x1234_5678_9ABC_DEF1, weight = [Double](repeating: 0, count: m)
    for _ in 0 ..< probes {
      for i in 0 ..< m {
        weight[i] = draw(&state)
      }
      guard let j = try differences(weight, 0 ..< m).firstIndex(where: { !($0 <= 1) }) else { continue }
      var low = 0, high = m
      while high - low > 1 {
        let middle = (low + high) / 2, left = try differences(weight, low ..< middle)[j], right = try differences(weight, middle ..< high)[j]
        if left.isNaN || left >= right { high = middle } else { low = middle }
      }
      if pattern.entry(low, j) == nil { throw Failure(.invalid, "sparse: the pattern lacks entry (\(low), \(j)), which is not zero at this point") }
      throw Failure(.invalid, "sparse: entry (\(low), \(j)) is wrong at this point; the pattern lacks entries that share its product, or the tolerance is too small")
    }
  }

  /// The entry of a row that is wrong, or missing: found by products with single columns.
  private func blame(_ row: Int, _ inputs: UnsafePointer<UnsafeRawPointer?>, _ values: Cells<UInt8>, _ tolerance: Double) throws(Failure) {
    let l = linear, t = l.tape
    var own: [Int: Double] = [:]
    let rows = pattern.entryRows
    for k in 0 ..< count {
      let e = Int(order.unsafelyUnwrapped[k])
      if Int(rows[e]) == row { own[Int(pattern.columns[e])] = number(values.p, dtype, k) }
      if request.isSymmetric, request.triangle != .full, Int(pattern.columns[e]) == row { own[Int(rows[e])] = number(values.p, dtype, k) }
    }
    // The row itself: the results, transposed, at the unit cotangent.
    let cotangents = l.results.map { t.input(t.type($0)) }, back = t.vjp(l.results, cotangents, l.tangents, linear: true)
    if let f = t.failure { throw f }
    let p = try Program(t, inputs: l.inputs + l.tangents + cotangents, outputs: back), w = try Workspace(p)
    _ = p.set("check_guards", 0)
    var given = l.inputs.indices.map { inputs[$0] }, kept: [Cells<UInt8>] = []
    for d in l.tangents + cotangents {
      let c = try Cells<UInt8>(t.type(d).bytes, filling: 0)
      kept.append(c)
      given.append(UnsafeRawPointer(c.p))
    }
    for k in cotangents.indices where row >= l.rowStarts[k] && row < l.rowStarts[k + 1] {
      put(1, kept[l.tangents.count + k].p, t.dtype(cotangents[k]), row - l.rowStarts[k])
    }
    var out: [Cells<UInt8>] = []
    for b in back { out.append(try Cells<UInt8>(t.type(b).bytes)) }
    try run(w, given, out)
    var worst = -1.0, column = -1
    for (k, b) in back.enumerated() {
      for i in 0 ..< t.type(b).count {
        let j = l.columnStarts[k] + i, exact = number(out[k].p, t.dtype(b), i), d = abs(exact - (own[j] ?? 0))
        // A missing entry first: it is what makes others wrong.
        let weight = own[j] == nil && exact != 0 ? 1e300 : d
        if weight > worst || d.isNaN { (worst, column) = (weight, j) }
      }
    }
    if column >= 0, own[column] == nil { throw Failure(.invalid, "sparse: the pattern lacks entry (\(row), \(column)), which is not zero at this point") }
    throw Failure(.invalid, "sparse: entry (\(row), \(column)) is wrong at this point: \(own[column] ?? 0); the pattern lacks entries that share its product, or the tolerance is too small")
  }
}

private func number(_ p: UnsafeRawPointer, _ d: DType, _ k: Int) -> Double { d == .f64 ? p.load(fromByteOffset: 8 * k, as: Double.self) : Double(p.load(fromByteOffset: 4 * k, as: Float.self)) }
private func put(_ v: Double, _ p: UnsafeMutableRawPointer, _ d: DType, _ k: Int) {
  if d == .f64 { p.storeBytes(of: v, toByteOffset: 8 * k, as: Double.self) } else { p.storeBytes(of: Float(v), toByteOffset: 4 * k, as: Float.self) }
}
/// Of [0.5, 1.5), a number that f32 holds, too.
private func draw(_ state: inout UInt64) -> Double {
  state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
  return Double(Float(Int64(state >> 40)) / 16_777_216 + 0.5)
}
private func run(_ w: Workspace, _ given: [UnsafeRawPointer?], _ out: [Cells<UInt8>]) throws(Failure) {
  let targets: [UnsafeMutableRawPointer?] = out.map { UnsafeMutableRawPointer($0.p) }
  let said = given.withUnsafeBufferPointer { g in targets.withUnsafeBufferPointer { o in w.run(inputs: g.baseAddress.unsafelyUnwrapped, outputs: o.baseAddress.unsafelyUnwrapped) } }
  if said.rawValue < 0 { throw Failure(said, w.message) }
}

extension Pattern {
  /// The row of each entry.
  package var entryRows: [Int32] {
    [Int32](unsafeUninitializedCapacity: count) { b, n in
      n = count
      for i in 0 ..< rowCount { for e in starts[i] ..< starts[i + 1] { b[e] = Int32(truncatingIfNeeded: i) } }
    }
  }
}
