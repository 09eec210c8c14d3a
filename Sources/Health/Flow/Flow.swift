import CKernels
package import Runtime
package import Tape

/// Watches a training: a program of the loss, its gradients, and the values and adjoints of layers, whose statistics are taken after each run. The
/// gradients are the nodes that `grad` makes; what is watched are further outputs.
package final class Flow {
  /// A layer: its result and, of each index of its first axis with `steps`, a level of its own.
  struct Place {
    var name: String, node: NodeID, steps: Bool
    var rows = 1, first = 0
    var type = TensorType(.f32, [])
    /// Where its value and its adjoint lie among the outputs; -1: nowhere.
    var value = -1, adjoint = -1
    /// The array cut into [outer, units, inner] of a row.
    var outer = 1, units = 1, inner = 1
    /// Parameters that feed it, and outputs with a bounded range behind it: where they lie among the outputs, and whether they begin at 0.
    var parameters: [Int] = []
    var bounded: [(node: NodeID, lower: Bool, output: Int)] = []
    var relu = false, isConv = false
  }
  struct Parameter {
    var name: String, type: TensorType
    /// Elements that are looked at, every `stride`-th.
    var samples = 0, stride = 1
    /// Inputs of a unit, and whether it is a matrix of weights.
    var fan = 1, isMatrix = false
  }
  /// One level at one step.
  struct LevelStat: BitwiseCopyable {
    var rms = Double.nan, largest = Double.nan, zeros = Double.nan, bad = 0.0, saturated = Double.nan
    var gradient = Double.nan, gradientLargest = Double.nan, gradientZeros = Double.nan, low = Double.nan, gradientBad = 0.0
  }
  struct ParameterStat: BitwiseCopyable {
    var rms = Double.nan, gradient = Double.nan, gradientBad = 0.0, low = Double.nan, zeros = Double.nan
    var ratio = Double.nan, stalled = Double.nan, stuck = Double.nan
  }

  var places: [Place] = []
  var levelNames: [String] = []
  var parameters: [Parameter] = []
  let dataTypes: [TensorType]
  let tape: Tape, loss: NodeID, params: [NodeID], data: [NodeID]
  let tapeFailure: Failure?
  // Options.
  var window = 64, warmup = 0, every = 1, unitAxis = -1000, compute: DType?, isCompensated = false
  package internal(set) var scale = 1.0
  var isScaled = false
  /// Remedies that are part of the program: inputs' means and factors (and the matrix that whitens, of the inputs' features squared), places whose results are normalised.
  var standards: [Int: (mean: [Double], factor: [Double], matrix: [Double])] = [:], normalized: Set<Int> = [], hasScaledResiduals = false, penalty = 0.0
  var origins: [NodeID] = []
  // The program and its arrays.
  var workspace: Workspace?
  var seed = Block.none, values: [Block] = [], own: [Block] = []
  var sampled: [Block] = [], live: [Block] = []
  var inputs: [InputStat] = []
  // History.
  var runs = 0, seen = 0
  var levelRing: [LevelStat] = [], parameterRing: [ParameterStat] = []
  var losses: [Double] = [], firstLoss = Double.nan, leastLoss = Double.infinity, firstBad = -1
  var earlyLevels: [[LevelStat]] = [], earlyParameters: [[ParameterStat]] = []
  var badLevels: [(value: Int, gradient: Int)] = []
  var norms: [Double] = []
  var lossType = DType.f64, fedData: Set<Int> = []
  var batches: [[Block]] = [], isAgain = false
  package internal(set) var message = ""

  package init(_ t: Tape, _ loss: NodeID, params: [NodeID], data: [NodeID]) throws(Failure) {
    guard t.contains(loss), !t.isTuple(loss) else { throw Failure(.node, "flow: the loss is no node of this tape") }
    guard t.type(loss).count == 1, t.dtype(loss).isFloat else { throw Failure(.shape, "flow: the loss is \(t.type(loss).description), not a float scalar") }
    guard !params.isEmpty else { throw Failure(.invalid, "flow: there are no parameters") }
    for (i, p) in (params + data).enumerated() {
      let what = i < params.count ? "parameter \(i)" : "data \(i - params.count)"
      guard t.contains(p), t.structural(p) == .input else { throw Failure(.node, "flow: \(what) is no input of this tape") }
      if i < params.count, !t.dtype(p).isFloat { throw Failure(.dtype, "flow: \(what) is \(t.type(p).description); gradients are taken by floats") }
    }
    guard Set(params + data).count == params.count + data.count else { throw Failure(.invalid, "flow: an input is given twice") }
    tape = t
    self.loss = t.shape(loss).isEmpty ? loss : t.reshape(loss, [])
    self.params = params
    self.data = data
    tapeFailure = t.failure
    dataTypes = data.map { t.type($0) }
    parameters = params.enumerated().map { Parameter(name: "parameter \($0)", type: t.type($1)) }
  }

  var isPlanned: Bool { workspace != nil }
  /// A host's number of a node.
  package func resolve(_ n: Int64) -> NodeID { n < 0 ? .none : tape.resolve(serial: Int32(truncatingIfNeeded: n >> 32), index: Int32(truncatingIfNeeded: n)) }
  package func packed(_ n: NodeID) -> Int64 { n.isNone ? -1 : Int64(tape.serial) << 32 | Int64(n.index) }
  package var levelCount: Int { levelNames.count }
  package func level(_ i: Int) -> String { levelNames.indices.contains(i) ? levelNames[i] : "" }
  package var parameterCount: Int { params.count }
  package var dataCount: Int { data.count }
  package func parameterType(_ i: Int) -> TensorType { parameters[i].type }

  package func set(_ name: String, _ value: Double) -> Failure? {
    func whole(_ low: Int, _ high: Int) -> Int? { Int(exactly: value).flatMap { $0 >= low && $0 <= high ? $0 : nil } }
    func refuse(_ what: String) -> Failure { Failure(.invalid, "flow: \(name) is \(what), not \(value)") }
    if name == "loss_scale" {
      guard value.isFinite, value > 0 else { return refuse("a positive number") }
      if isPlanned, !isScaled { unplan() }
      (scale, isScaled) = (value, true)
      return nil
    }
    if isPlanned {
      guard name == "compute" || name == "compensated" else { return Failure(.invalid, "flow: \(name) cannot change after the first run") }
      if name == "compute" { unplan() }
    }
    switch name {
    case "window": guard let n = whole(4, 4096) else { return refuse("a whole number from 4 to 4096") }; window = n
    case "warmup": guard let n = whole(0, 1 << 30) else { return refuse("a whole number of steps") }; warmup = n
    case "every": guard let n = whole(1, 1 << 30) else { return refuse("a whole number of runs") }; every = n
    case "unit_axis": guard let n = whole(-1000, 64) else { return refuse("an axis") }; unitAxis = n
    case "compensated": isCompensated = value != 0
    case "compute":
      guard value != -1 else { compute = nil; break }
      guard let n = whole(0, 3), let d = DType(rawValue: Int32(n)) else { return refuse("a float dtype, or -1") }
      compute = d
    default: return Failure(.invalid, "flow: no option is called \(name); there are compensated, compute, every, loss_scale, unit_axis, warmup, window")
    }
    return nil
  }

  package func add(_ name: String, _ node: NodeID, steps: Bool) -> Failure? {
    if isPlanned { return Failure(.invalid, "flow: layer \"\(name)\" comes after the first run") }
    guard tape.contains(node), !tape.isTuple(node), tape.dtype(node).isFloat else { return Failure(.node, "flow: layer \"\(name)\" is no float node of this tape") }
    if steps, tape.shape(node).isEmpty { return Failure(.shape, "flow: layer \"\(name)\" is a scalar; its first axis was to be time") }
    places.append(Place(name: name, node: node, steps: steps))
    return nil
  }
  package func name(_ i: Int, _ name: String) -> Failure? {
    guard parameters.indices.contains(i) else { return Failure(.invalid, "flow: parameter \(i) of \(parameters.count)") }
    parameters[i].name = name
    return nil
  }

  // MARK: running

  package func run(params p: UnsafePointer<UnsafeRawPointer?>, data d: UnsafePointer<UnsafeRawPointer?>?, loss: UnsafeMutableRawPointer?,
                   gradients: UnsafePointer<UnsafeMutableRawPointer?>?) throws(Failure) -> Code {
    try plan()
    for (i, q) in parameters.enumerated() where p[i] == nil && q.type.count > 0 { throw Failure(.invalid, "flow: parameter \(i) is NULL") }
    guard data.isEmpty || d != nil else { throw Failure(.invalid, "flow: the array of data is NULL") }
    if own.isEmpty, gradients == nil || parameters.indices.contains(where: { gradients?[$0] == nil }) {
      for q in parameters { own.append(try Block(q.type.bytes)) }
    }
    var slopes: [UnsafeMutableRawPointer?] = []
    for i in parameters.indices { slopes.append(gradients?[i] ?? own[i].p) }
    let y = try slopes.withUnsafeBufferPointer { s throws(Failure) in try execute(p, d, s.baseAddress.unsafelyUnwrapped) }
    let value = y[0]
    var x: [UnsafeRawPointer?] = []
    for i in params.indices { x.append(p[i]) }
    for i in data.indices { x.append(d?[i]) }
    loss?.copyMemory(from: value, byteCount: lossType.size)
    let fine = observe(load(value, lossType), x, y)
    keep(d)
    runs += 1
    return fine ? .ok : .nonfinite
  }

  /// Runs the program; where its outputs lie.
  func execute(_ p: UnsafePointer<UnsafeRawPointer?>, _ d: UnsafePointer<UnsafeRawPointer?>?, _ gradients: UnsafePointer<UnsafeMutableRawPointer?>) throws(Failure)
    -> [UnsafeMutableRawPointer] {
    guard let workspace else { throw Failure(.invalid, "flow: no program") }
    store(scale, lossType, seed.p)
    var x = [UnsafeRawPointer?](), y: [UnsafeMutableRawPointer?] = [seed.p + 8]
    for i in params.indices { x.append(p[i]); y.append(gradients[i]) }
    for i in data.indices { x.append(d?[i]) }
    if isScaled { x.append(UnsafeRawPointer(seed.p)) }
    for b in values { y.append(b.p) }
    let code = x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in x.baseAddress.flatMap { a in y.baseAddress.map { workspace.run(inputs: a, outputs: $0) } } ?? .invalid }
    }
    if code.rawValue < 0 || code == .flipped { throw Failure(code, workspace.message) }
    return y.map { $0 ?? seed.p }
  }

  /// Statistics of this run; whether loss and gradients are finite.
  func observe(_ v: Double, _ x: [UnsafeRawPointer?], _ y: [UnsafeMutableRawPointer]) -> Bool {
    if losses.count == 512 { losses.removeFirst(256) }
    losses.append(v)
    if runs == 0 { firstLoss = v }
    if v < leastLoss { leastLoss = v }
    if runs % every != 0 {
      var fine = v.isFinite
      for (i, q) in parameters.enumerated() { if !ck_all_finite(q.type.dtype.rawValue, y[1 + i], q.type.count) { fine = false } }
      if !fine, firstBad < 0 { firstBad = runs }
      return fine
    }
    let slot = seen % window
    var fine = v.isFinite
    for i in places.indices { watch(i, slot, y[places[i].value], places[i].adjoint < 0 ? nil : y[places[i].adjoint], y) }
    var squares = 0.0
    for i in parameters.indices {
      let s = look(i, x[i], y[1 + i])
      parameterRing[slot * parameters.count + i] = s
      if s.gradientBad > 0 { fine = false }
      squares += s.gradient * s.gradient * Double(parameters[i].type.count)
    }
    if norms.count == 512 { norms.removeFirst(256) }
    norms.append(squares.squareRoot() / scale)
    for i in inputs.indices { if seen < 4 || seen & 15 == 0 { inputs[i].add(x[params.count + i]) } }
    if !fine, firstBad < 0 { firstBad = runs }
    if seen < 4 {
      earlyLevels.append(Array(levelRing[slot * levelNames.count ..< (slot + 1) * levelNames.count]))
      earlyParameters.append(Array(parameterRing[slot * parameters.count ..< (slot + 1) * parameters.count]))
    }
    seen += 1
    return fine
  }

  func watch(_ i: Int, _ slot: Int, _ v: UnsafeMutableRawPointer?, _ g: UnsafeMutableRawPointer?, _ y: [UnsafeMutableRawPointer]) {
    let p = places[i], d = p.type.dtype, n = p.rows > 0 ? p.type.count / max(p.steps ? p.type.shape[0] : 1, 1) : 0
    let low = Format(d)?.normal ?? 0
    var saturated = Double.nan
    if !p.bounded.isEmpty {
      var s = ck_tally(), all = 0
      for b in p.bounded where b.output >= 0 {
        let t = tape.type(b.node)
        ck_tally_array(t.dtype.rawValue, y[b.output], t.count, 0, 0.97, b.lower, &s)
        all += t.count
      }
      saturated = Double(s.edges) / Double(max(all, 1))
    }
    for r in 0 ..< p.rows {
      var s = LevelStat(), a = ck_tally()
      if let v {
        ck_tally_array(d.rawValue, v + r * n * d.size, n, 0, .infinity, false, &a)
        if p.outer > 0 { ck_live_units(d.rawValue, v + r * n * d.size, p.outer, p.units, p.inner, Int64(seen), live[i].p.assumingMemoryBound(to: Int64.self)) }
      }
      s.rms = (a.squares / Double(max(n, 1))).squareRoot()
      s.largest = a.largest
      s.zeros = Double(a.zeros) / Double(max(n, 1))
      s.bad = Double(a.bad)
      s.saturated = saturated
      if let g {
        var b = ck_tally()
        ck_tally_array(d.rawValue, g + r * n * d.size, n, low, .infinity, false, &b)
        s.gradient = (b.squares / Double(max(n, 1))).squareRoot() / scale
        s.gradientLargest = b.largest
        s.gradientZeros = Double(b.zeros) / Double(max(n, 1))
        s.low = n > Int(b.zeros) ? Double(b.lows) / Double(n - Int(b.zeros)) : .nan
        s.gradientBad = Double(b.bad)
      }
      let l = p.first + r
      if s.bad > 0 { badLevels[l].value += 1 }
      if s.gradientBad > 0 { badLevels[l].gradient += 1 }
      levelRing[slot * levelNames.count + l] = s
    }
  }

  /// A parameter, its gradient, and what became of it since the last time.
  func look(_ i: Int, _ w: UnsafeRawPointer?, _ g: UnsafeMutableRawPointer?) -> ParameterStat {
    var s = ParameterStat()
    let q = parameters[i], d = q.type.dtype, n = q.type.count, m = q.samples
    guard n > 0, let w, let g else { return s }
    var t = ck_tally()
    ck_tally_array(d.rawValue, g, n, Format(compute ?? d)?.normal ?? 0, .infinity, false, &t)
    s.gradient = (t.squares / Double(n)).squareRoot()
    s.gradientBad = Double(t.bad)
    s.zeros = Double(t.zeros) / Double(n)
    s.low = n > Int(t.zeros) ? Double(t.lows) / Double(n - Int(t.zeros)) : .nan
    let old = sampled[i].p.assumingMemoryBound(to: Double.self), slopes = old + m, still = slopes + m
    var weights = 0.0, moves = 0.0, before = 0.0, stood = 0, stuck = 0, driven = 0
    for k in 0 ..< m {
      let v = element(w, d, k * q.stride)
      weights += v * v
      if seen > 0 {
        let move = v - old[k]
        moves += move * move
        before += old[k] * old[k]
        if slopes[k] != 0, slopes[k].isFinite {
          driven += 1
          if move == 0 { stood += 1; still[k] += 1 } else { still[k] = 0 }
          if still[k] >= 8 { stuck += 1 }
        }
      } else { still[k] = 0 }
      old[k] = v
      slopes[k] = element(g, d, k * q.stride)
    }
    s.rms = (weights / Double(max(m, 1))).squareRoot()
    if seen > 0 {
      s.ratio = before > 0 ? (moves / before).squareRoot() : moves > 0 ? .infinity : .nan
      if driven > 0 { (s.stalled, s.stuck) = (Double(stood) / Double(driven), Double(stuck) / Double(driven)) }
    }
    return s
  }

  // MARK: what was seen

  var kept: Int { min(seen, window) }
  /// The median over the window of a number of a level or parameter; NaN where there is none.
  func median(_ l: Int, _ field: (LevelStat) -> Double) -> Double { middle((0 ..< kept).map { field(levelRing[$0 * levelNames.count + l]) }) }
  func median(parameter i: Int, _ field: (ParameterStat) -> Double) -> Double { middle((0 ..< kept).map { field(parameterRing[$0 * parameters.count + i]) }) }
  /// The first steps, before training changed much.
  func early(_ l: Int, _ field: (LevelStat) -> Double) -> Double { middle(earlyLevels.map { field($0[l]) }) }
  func early(parameter i: Int, _ field: (ParameterStat) -> Double) -> Double { middle(earlyParameters.map { field($0[i]) }) }
  /// The share of a place's units that were zero in all of the last 100 steps.
  func dead(_ i: Int) -> Double {
    let p = places[i]
    guard p.units > 0, seen > 0, i < live.count else { return .nan }   // layers are prepared at the first run
    let alive = live[i].p.assumingMemoryBound(to: Int64.self)
    var n = 0
    for u in 0 ..< p.units where alive[u] < Int64(max(seen - 100, 0)) { n += 1 }
    return Double(n) / Double(p.units)
  }

  /// By name, medians over the window, or with "early_" before it over the first four steps; nil where there is none of that name.
  package func statistic(_ full: String) -> [Double]? {
    let isEarly = full.hasPrefix("early_"), name = isEarly ? String(full.dropFirst(6)) : full
    if name == "dead" { return places.indices.flatMap { i in (0 ..< places[i].rows).map { _ in dead(i) } } }
    let level: ((LevelStat) -> Double)?, parameter: ((ParameterStat) -> Double)?
    (level, parameter) = Flow.field(name)
    if let level { return levelNames.indices.map { isEarly ? early($0, level) : median($0, level) } }
    guard let parameter else { return nil }
    return parameters.indices.map { i in
      let v = isEarly ? early(parameter: i, parameter) : median(parameter: i, parameter)
      if name == "weight_gain" { return parameters[i].isMatrix ? v * Double(parameters[i].fan).squareRoot() : .nan }
      return name == "weight_gradient_rms" ? v / scale : v
    }
  }
  static func field(_ name: String) -> (((LevelStat) -> Double)?, ((ParameterStat) -> Double)?) {
    switch name {
    case "value_rms": return ({ $0.rms }, nil)
    case "value_max": return ({ $0.largest }, nil)
    case "value_zeros": return ({ $0.zeros }, nil)
    case "value_nonfinite": return ({ $0.bad }, nil)
    case "saturated": return ({ $0.saturated }, nil)
    case "gradient_rms": return ({ $0.gradient }, nil)
    case "gradient_max": return ({ $0.gradientLargest }, nil)
    case "gradient_zeros": return ({ $0.gradientZeros }, nil)
    case "gradient_low": return ({ $0.low }, nil)
    case "gradient_nonfinite": return ({ $0.gradientBad }, nil)
    case "weight_rms", "weight_gain": return (nil, { $0.rms })
    case "weight_gradient_rms": return (nil, { $0.gradient })
    case "weight_gradient_zeros": return (nil, { $0.zeros })
    case "weight_gradient_low": return (nil, { $0.low })
    case "update_ratio": return (nil, { $0.ratio })
    case "stalled": return (nil, { $0.stalled })
    case "stuck": return (nil, { $0.stuck })
    default: return (nil, nil)
    }
  }

  /// Theil and Sen's slope of log rms of the adjoints over the levels, counted from the loss.
  package var slope: Double { theilSen((0 ..< levelCount).map { l in median(levelCount - 1 - l) { $0.gradient } }) }

  // MARK: for remedies

  package var placeCount: Int { places.count }
  /// The rms of a gradient's entries, as a rule.
  package var typicalEntry: Double {
    let n = parameters.reduce(0) { $0 + $1.type.count }, g = typicalNorm
    return n > 0 && g.isFinite ? g / Double(n).squareRoot() : 0
  }
  package func placeName(_ i: Int) -> String { places[i].name }
  package var typicalNorm: Double { middle(norms.filter(\.isFinite)) }

  /// Starts anew, as if nothing had run: what a remedy changed is to be seen by itself.
  package func forget() {
    (runs, seen, firstBad, firstLoss, leastLoss) = (0, 0, -1, .nan, .infinity)
    losses = []
    norms = []
    earlyLevels = []
    earlyParameters = []
    badLevels = levelNames.map { _ in (0, 0) }
    for (i, b) in live.enumerated() { for u in 0 ..< places[i].units { b.p.storeBytes(of: -1, toByteOffset: u * 8, as: Int64.self) } }
    for s in inputs { s.forget() }
  }
  /// The program is made anew at the next run.
  func unplan() {
    forget()
    workspace = nil
    live = []
    sampled = []
    inputs = []
    own = []
    for i in origins.indices {
      places[i].node = origins[i]
      places[i].bounded = []
      places[i].parameters = []
      (places[i].value, places[i].adjoint, places[i].relu) = (-1, -1, false)
    }
  }

  /// A run that leaves no trace: the loss, the largest adjoint as it stands in the program (scaled), and whether all is finite.
  package func probe(_ p: UnsafePointer<UnsafeMutableRawPointer?>, _ d: UnsafePointer<UnsafeRawPointer?>?) throws(Failure) -> (loss: Double, largest: Double, isFinite: Bool) {
    try plan()
    if own.isEmpty { for q in parameters { own.append(try Block(q.type.bytes)) } }
    let n = params.count
    let x = (0 ..< n).map { UnsafeRawPointer(p[$0]) }, y = own.map { Optional($0.p) }
    let v = try x.withUnsafeBufferPointer { x throws(Failure) in
      try y.withUnsafeBufferPointer { y throws(Failure) in
        guard let a = x.baseAddress, let b = y.baseAddress else { return Double.nan }
        return load(try execute(a, d, b)[0], lossType)
      }
    }
    var largest = 0.0, fine = v.isFinite
    func add(_ q: UnsafeMutableRawPointer, _ t: TensorType) {
      var s = ck_tally()
      ck_tally_array(t.dtype.rawValue, q, t.count, 0, .infinity, false, &s)
      largest = max(largest, s.largest)
      if s.bad > 0 { fine = false }
    }
    for (i, q) in parameters.enumerated() { add(own[i].p, q.type) }
    for q in places where q.adjoint >= 0 { add(values[q.adjoint - 1 - n].p, q.type) }
    return (v, largest, fine)
  }
  /// The gradients of the last probe, without the scale.
  package func withGradients<T>(_ body: (UnsafePointer<UnsafeRawPointer?>) -> T) -> T {
    if scale != 1 { for (i, q) in parameters.enumerated() { for k in 0 ..< q.type.count { put(element(own[i].p, q.type.dtype, k) / scale, q.type.dtype, own[i].p, k) } } }
    let g = own.map { Optional(UnsafeRawPointer($0.p)) }
    return g.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
  }
  /// The rms of a place's values in the last run, over that of values whose preactivation is normal of variance 1; NaN where there is no such.
  package func outputRMS(_ i: Int) -> Double {
    let t = places[i].type
    if places[i].bounded.contains(where: \.lower) || places[i].bounded.count > 1 { return .nan }
    let unit = places[i].bounded.count == 1 ? 0.6279 : places[i].relu ? 0.5.squareRoot() : 1
    var s = ck_tally()
    ck_tally_array(t.dtype.rawValue, values[places[i].value - 1 - params.count].p, t.count, 0, .infinity, false, &s)
    return s.bad > 0 ? .nan : (s.squares / Double(max(t.count, 1))).squareRoot() / unit
  }

  /// The first batches, for remedies that try steps: eight of them, or what fits into 64 MB.
  func keep(_ d: UnsafePointer<UnsafeRawPointer?>?) {
    let bytes = dataTypes.reduce(0) { $0 + $1.bytes }
    guard !isAgain, batches.count < 8, bytes > 0, (batches.count + 1) * bytes <= 1 << 26, let d else { return }
    var b: [Block] = []
    for (i, t) in dataTypes.enumerated() {
      guard let p = d[i], let q = try? Block(t.bytes) else { return }
      q.p.copyMemory(from: p, byteCount: t.bytes)
      b.append(q)
    }
    batches.append(b)
  }
  package var batchCount: Int { batches.count }
  /// A probe on one of the batches seen.
  package func probe(_ p: UnsafePointer<UnsafeMutableRawPointer?>, batch i: Int) throws(Failure) -> (loss: Double, largest: Double, isFinite: Bool) {
    let d = batches[i].map { Optional(UnsafeRawPointer($0.p)) }
    return try d.withUnsafeBufferPointer { d throws(Failure) in try probe(p, d.baseAddress) }
  }

  /// A run on one of the batches seen (the data given, of none) whose statistics count.
  package func rerun(_ p: UnsafePointer<UnsafeMutableRawPointer?>, _ d: UnsafePointer<UnsafeRawPointer?>?, batch i: Int) throws(Failure) {
    isAgain = true
    defer { isAgain = false }
    let x = (0 ..< params.count).map { UnsafeRawPointer(p[$0]) }
    let seen = batches.isEmpty ? dataTypes.indices.map { d?[$0] } : batches[i % batches.count].map { Optional(UnsafeRawPointer($0.p)) }
    try x.withUnsafeBufferPointer { x throws(Failure) in
      try seen.withUnsafeBufferPointer { d throws(Failure) in
        if let a = x.baseAddress { _ = try run(params: a, data: d.baseAddress, loss: nil, gradients: nil) }
      }
    }
  }

  package struct Suspect { package let parameter: Int, isMatrix: Bool, gain: Double, fan: Int }
  /// The parameters behind a layer, or behind a parameter or layer of that name; of none, of all layers. With several layers as wrong, of all those.
  package func suspects(_ place: String) throws(Failure) -> [Suspect] {
    var out: [Suspect] = []
    for i in try chosen(place) {
      for k in places[i].parameters where !out.contains(where: { $0.parameter == k }) && parameters[k].type.count > 0 {
        out.append(Suspect(parameter: k, isMatrix: parameters[k].isMatrix, gain: places[i].relu ? 2.0.squareRoot() : 1, fan: parameters[k].fan))
      }
    }
    return out
  }
  /// The places of that name, and those as wrong.
  func chosen(_ place: String) throws(Failure) -> [Int] {
    try plan()
    var chosen = places.indices.filter { place.isEmpty || places[$0].name == place || parameterNames(of: $0).contains(place) }
    if let i = chosen.first, !place.isEmpty, let d = deviation(i)?.bits, abs(d) > 1.3 {
      chosen = places.indices.filter { k in chosen.contains(k) || (deviation(k).map { $0.bits * (d < 0 ? -1 : 1) > 1.3 } ?? false) }
    }
    return chosen
  }
  func parameterNames(of i: Int) -> [String] { places[i].parameters.map { parameters[$0].name } }
  /// The only matrix behind a place, where no other place has it.
  package func ownMatrix(_ i: Int) -> Int? {
    let own = places[i].parameters.filter { parameters[$0].isMatrix }
    guard own.count == 1, !places.indices.contains(where: { $0 != i && places[$0].parameters.contains(own[0]) }) else { return nil }
    return own[0]
  }

  /// What standardising does to input k: means and factors of its features.
  package func standard(_ k: Int) -> (mean: [Double], factor: [Double])? { standards[k].map { ($0.mean, $0.factor) } }
}
