import CKernels
package import Runtime
package import Tape

/// The program that is watched: layers that nobody named, what is recorded beside the loss, memory.
extension Flow {
  package func plan() throws(Failure) {
    if isPlanned { return }
    if let tapeFailure { throw tapeFailure }
    let since = tape.failure
    tape.failure = nil
    defer { tape.failure = since }
    if places.isEmpty { discover() }
    if origins.isEmpty { origins = places.map(\.node) }
    do throws(Failure) { try record() } catch {
      unplan()
      throw error
    }
  }

  func record() throws(Failure) {
    let t = tape
    var y = loss
    // Standardised inputs stand for themselves until all is in its precision: an input may not fit into that.
    var taken = params + data, stands: [(NodeID, NodeID)] = []
    if hasTreatments {
      let r = treated([y] + places.map(\.node))
      if let f = t.failure { throw f }
      y = r[0]
      for i in places.indices { places[i].node = r[i + 1] }
    }
    for (k, _) in standards.sorted(by: { $0.key < $1.key }) {
      let z = t.input(t.type(data[k]))
      replace(data[k], z, &y)
      taken[params.count + k] = z
      stands.append((z, standardized(k)))
      if let f = t.failure { throw f }
    }
    if let compute {
      let low = t.precision([y] + places.map(\.node), taken, compute: compute, output: t.dtype(loss))
      if let f = t.failure { throw f }
      y = low[0]
      for i in places.indices { places[i].node = t.structural(low[i + 1]) == .cast ? t.input(low[i + 1], 0) : low[i + 1] }
    }
    for (z, x) in stands { replace(z, x, &y) }
    if let f = t.failure { throw f }
    if penalty > 0 {
      let x = data.filter { t.dtype($0).isFloat }
      if !x.isEmpty { y = t.add(y, t.scale(t.cast(t.gradientPenalty(y, x), t.dtype(y)), penalty)) }
      if let f = t.failure { throw f }
    }
    let ct = isScaled ? t.input(t.type(y)) : t.like(y, 1)
    var watched = places.map(\.node)
    var g = t.reverse([(y, Masked(ct))], wrt: params, watched: watched)
    if let f = t.failure { throw f }
    // A layer named by what leaves a loop of casts is what was cast.
    var again = false
    for i in places.indices where g[params.count + i] == nil && t.structural(places[i].node) == .cast && t.dtype(t.input(places[i].node, 0)).isFloat {
      places[i].node = t.input(places[i].node, 0)
      again = true
    }
    if again {
      watched = places.map(\.node)
      g = t.reverse([(y, Masked(ct))], wrt: params, watched: watched)
      if let f = t.failure { throw f }
    }
    var outputs = [y]
    for (i, p) in params.enumerated() { outputs.append(g[i]?.value ?? t.zeros(p)) }
    survey(y)
    for i in places.indices {
      places[i].value = outputs.count
      outputs.append(places[i].node)
      if let a = g[params.count + i] {
        places[i].adjoint = outputs.count
        outputs.append(a.value)
      }
    }
    for i in places.indices {
      for k in places[i].bounded.indices {
        let n = places[i].bounded[k].node
        if let known = outputs[(1 + params.count)...].firstIndex(of: n) { places[i].bounded[k].output = known; continue }
        places[i].bounded[k].output = outputs.count
        outputs.append(n)
      }
    }
    if let f = t.failure { throw f }
    var blocks: [Block] = []
    for n in outputs.dropFirst(1 + params.count) { blocks.append(try Block(t.type(n).bytes)) }
    values = blocks
    seed = try Block(16)
    try layOut()
    let program = try Program(t, inputs: params + data + (isScaled ? [ct] : []), outputs: outputs)
    workspace = try Workspace(program)
    lossType = t.dtype(y)
  }
  func replace(_ x: NodeID, _ z: NodeID, _ y: inout NodeID) {
    let r = tape.substitute([y] + places.map(\.node), [x], [z])
    guard tape.failure == nil else { return }
    y = r[0]
    for i in places.indices { places[i].node = r[i + 1] }
  }

  /// What lies behind each layer, up to the layers before it.
  func survey(_ y: NodeID) {
    let t = tape, marks = Set(places.map(\.node))
    for i in places.indices {
      var stack = [places[i].node], known: Set<NodeID> = [places[i].node], conv = false, looked = 0
      defer { places[i].isConv = conv }
      places[i].type = t.type(places[i].node)
      while let n = stack.popLast(), looked < 20_000 {
        looked += 1
        if n != places[i].node, marks.contains(n) || known.count > 20_000 { continue }
        let u = OpCode(raw: t.record(n).op)
        if u == OpCode(Unary.tanh) || u == OpCode(Unary.erf) { places[i].bounded.append((n, false, -1)) }
        if u == OpCode(Unary.sigmoid) { places[i].bounded.append((n, true, -1)) }
        if u == OpCode(Unary.relu) || u == OpCode(Binary.maximum) { places[i].relu = true }
        if t.structural(n) == .conv, t.shape(n).count == places[i].type.rank { conv = true }
        if let k = data.firstIndex(of: n) { fedData.insert(k) }
        if let k = params.firstIndex(of: n) {
          if !places[i].parameters.contains(k) { places[i].parameters.append(k) }
          continue
        }
        for x in t.inputs(n) where known.insert(x).inserted { stack.append(x) }
      }
      if places[i].steps || places[i].bounded.count > 8 { places[i].bounded = Array(places[i].bounded.prefix(places[i].steps ? 0 : 8)) }
      let s = places[i].steps ? Array(places[i].type.shape.dropFirst()) : places[i].type.shape
      places[i].rows = places[i].steps ? places[i].type.shape[0] : 1
      var axis = unitAxis == -1000 ? (conv && s.count > 2 ? 1 : s.count - 1) : unitAxis < 0 ? s.count + unitAxis : unitAxis
      axis = max(min(axis, s.count - 1), 0)
      if s.isEmpty { continue }
      places[i].outer = s[..<axis].reduce(1, &*)
      places[i].units = s[axis]
      places[i].inner = s[(axis + 1)...].reduce(1, &*)
    }
  }

  func layOut() throws(Failure) {
    levelNames = []
    for i in places.indices {
      places[i].first = levelNames.count
      for r in 0 ..< min(places[i].rows, 4096) { levelNames.append(places[i].steps ? "\(places[i].name)[\(r)]" : places[i].name) }
      places[i].rows = min(places[i].rows, 4096)
      let b = try Block(places[i].units * 8)
      for u in 0 ..< places[i].units { b.p.storeBytes(of: -1, toByteOffset: u * 8, as: Int64.self) }
      live.append(b)
    }
    badLevels = levelNames.map { _ in (0, 0) }
    for i in parameters.indices {
      let n = parameters[i].type.count, s = parameters[i].type.shape
      parameters[i].stride = max((n + 4095) / 4096, 1)
      parameters[i].samples = n / parameters[i].stride
      parameters[i].isMatrix = s.count >= 2
      // [inputs, units] of a product, [out, in, ...] of a convolution.
      if s.count == 2 { parameters[i].fan = max(s[0], 1) } else if s.count > 2 { parameters[i].fan = max(s.dropFirst().reduce(1, &*), 1) }
      // Weights, gradients, and how many steps each has stood still.
      sampled.append(try Block(parameters[i].samples * 24))
    }
    for (i, d) in dataTypes.enumerated() { inputs.append(try InputStat(d, fedData.contains(i))) }
    levelRing = [LevelStat](repeating: LevelStat(), count: levelNames.count * window)
    parameterRing = [ParameterStat](repeating: ParameterStat(), count: parameters.count * window)
  }

  /// Layers that the host labelled on the tape: nodes with a label of their own, or the last that was recorded under one.
  private func labelled(_ order: borrowing Buffer<NodeID>) -> Bool {
    let t = tape
    var found: [(text: String, node: NodeID, own: Bool)] = []
    for k in 0 ..< order.count {
      let n = order[k]
      guard n != loss, !t.isTuple(n), t.dtype(n).isFloat, t.arity(n) > 0, t.type(n).count > 1, let (text, own) = t.called(n) else { continue }
      if let i = found.firstIndex(where: { $0.text == text }) {
        if own || !found[i].own { found[i] = (text, n, own) }
      } else if found.count < 1024 { found.append((text, n, own)) }
    }
    for f in found { places.append(Place(name: f.text, node: f.node, steps: false)) }
    return !found.isEmpty
  }

  /// After each product with a parameter: the last elementwise result that alone reads the one before.
  func discover() {
    let t = tape
    guard let order = t.order([loss]) else { return }
    if labelled(order) { return }
    var users: [NodeID: [NodeID]] = [:], fed: Set<NodeID> = Set(params)
    for k in 0 ..< order.count {
      let n = order[k]
      for x in t.inputs(n) { users[x, default: []].append(n) }
      // What is a parameter but for its form.
      if t.arity(n) == 1, fed.contains(t.input(n, 0)), let s = t.structural(n), s == .cast || s == .reshape || s == .transpose || s == .broadcast { fed.insert(n) }
    }
    var names = 0
    for k in 0 ..< order.count {
      var n = order[k]
      guard let s = t.structural(n), s == .matmul || s == .conv, t.inputs(n).contains(where: { fed.contains($0) }), !t.isTuple(n) else { continue }
      while let u = users[n], u.count == 1, !t.isTuple(u[0]), t.dtype(u[0]).isFloat, OpCode(raw: t.record(u[0]).op).isElementwise || t.structural(u[0]) == .reshape || t.structural(u[0]) == .cast,
            t.type(u[0]).count == t.type(n).count { n = u[0] }
      guard n != loss, !places.contains(where: { $0.node == n }), names < 1024 else { continue }
      names += 1
      places.append(Place(name: "layer \(names)", node: n, steps: false))
    }
  }
}
