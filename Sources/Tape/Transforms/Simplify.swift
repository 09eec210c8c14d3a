import CKernels

/// The same values from fewer nodes. Every rule keeps every bit of every result (signed zeros and NaNs included): x + (-0), x - 0,
/// x * 1, x / 1, but not x + 0 or x * 0.
extension Tape {
  package func simplify(_ outputs: [NodeID]) -> [NodeID] {
    guard check("simplify", outputs, "output") else { return [NodeID](repeating: .none, count: outputs.count) }
    return rewrite(self, outputs, [:]) { n, x in self.simpler(n, x) }
  }

  /// The body of a scan as a program runs it: without the members that nothing needs, with captured constants in it, simplified. `inputs`
  /// are the numbers of those that it still reads, and of the carries.
  package func bare(_ n: NodeID, needed: [Bool]) -> (body: Body, inputs: [Int]) {
    let s = scanShape(n), outputs = s.body.outputs.indices.filter { needed[$0] }.map { s.body.outputs[$0] }
    return bare(s.body, outputs, keeps: { $0 < s.carries && needed[$0] }) { $0 < s.carries + s.xs ? nil : self.input(n, $0) }
  }

  private func simpler(_ n: NodeID, _ x: [NodeID]) -> NodeID? {
    let r = record(n)
    if r.arity == 0 { return n }
    if r.type <= -2 { return nil }
    if r.op == Structural.part.rawValue { return chosen(x[0], attrs(n)[0]) }
    let op = OpCode(raw: r.op)
    if op.isElementwise {
      switch op.elementwise {
      case .unary(let u): if let y = identity(u, x[0]) { return y }
      case .binary(let b): if let y = identity(b, x[0], x[1]) { return y }
      case .ternary(let t): if let y = identity(t, x[0], x[1], x[2]) { return y }
      }
      if let y = folded(op, n, x) { return y }
    } else if let y = identity(op.structural, n, x) {
      return y
    }
    if let y = evaluated(op, n, x) { return y }
    return x.indices.allSatisfy { x[$0] == input(n, $0) } ? n : nil
  }

  /// What the branch gives that is known to be taken.
  private func chosen(_ tuple: NodeID, _ member: Int) -> NodeID? {
    guard structural(tuple) == .cond, let c = uniformConstant(input(tuple, 0)) else { return nil }
    let bodies = condShape(tuple).bodies, k = max(0, min(Int(Int64(bitPattern: constantBits(c))), bodies.count - 1))
    return inline(bodies[k], Array(inputs(tuple)[1...]))[member]
  }

  private func identity(_ op: Unary, _ x: NodeID) -> NodeID? {
    let inner = self.op(x)
    switch op {
    case .neg: return inner == OpCode(Unary.neg) ? input(x, 0) : nil
    case .logical_not: return inner == OpCode(Unary.logical_not) ? input(x, 0) : nil
    case .abs: return inner == OpCode(Unary.abs) ? x : inner == OpCode(Unary.neg) ? unary(.abs, input(x, 0)) : nil
    case .stop_gradient: return inner == OpCode(Unary.stop_gradient) ? x : nil
    case .relu: return inner == OpCode(Unary.relu) ? x : nil
    case .floor, .ceil, .round, .trunc: return inner == OpCode(op) ? x : nil
    default: return nil
    }
  }

  private func identity(_ op: Binary, _ x: NodeID, _ y: NodeID) -> NodeID? {
    switch op {
    case .add:
      if isUniform(y, -0.0) { return x }
      if isUniform(x, -0.0) { return y }
      if dtype(x).isFloat, self.op(y) == OpCode(Unary.neg) { return binary(.sub, x, input(y, 0)) }
      return nil
    case .sub:
      if dtype(x).isFloat, self.op(y) == OpCode(Unary.neg) { return binary(.add, x, input(y, 0)) }
      return isUniform(y, 0) ? x : nil
    case .mul: return isUniform(y, 1) ? x : isUniform(x, 1) ? y : nil
    case .div: return isUniform(y, 1) ? x : nil
    case .pow: return isUniform(y, 1) ? x : nil
    case .maximum, .minimum, .fmax, .fmin: return x == y ? x : nil
    case .logical_and:
      if x == y || isUniform(y, 1) || isUniform(x, 0) { return x }
      return isUniform(x, 1) || isUniform(y, 0) ? y : nil
    case .logical_or:
      if x == y || isUniform(y, 0) || isUniform(x, 1) { return x }
      return isUniform(x, 0) || isUniform(y, 1) ? y : nil
    default: return nil
    }
  }

  private func identity(_ op: Ternary, _ x: NodeID, _ y: NodeID, _ z: NodeID) -> NodeID? {
    switch op {
    case .select:
      if y == z || isUniform(x, 1) { return y }
      if isUniform(x, 0) { return z }
      if self.op(x) == OpCode(Unary.logical_not) { return select(input(x, 0), z, y) }
      return nil
    case .gate:
      if isUniform(x, 1) { return isUniform(y, 1) ? z : isUniform(z, 1) ? y : binary(.mul, y, z) }
      return isUniform(x, 0) ? zeros(y) : nil
    default: return nil
    }
  }

  private func identity(_ op: Structural?, _ n: NodeID, _ x: [NodeID]) -> NodeID? {
    guard let op, let first = x.first else { return nil }
    let inner = structural(first)
    switch op {
    case .cast where dtype(first) == dtype(n): return first
    case .reshape:
      if shape(first) == shape(n) { return first }
      return inner == .reshape ? reshape(input(first, 0), shape(n)) : nil
    case .broadcast: return shape(first) == shape(n) ? first : nil
    case .transpose:
      if attrs(n) == Array(attrs(n).indices) { return first }
      guard inner == .transpose, attrs(first).count == attrs(n).count else { return nil }
      let p = attrs(first)
      return transpose(input(first, 0), attrs(n).map { p[$0] })
    case .slice, .pad: return shape(first) == shape(n) && (op == .pad || isWhole(attrs(n))) ? first : nil
    case .sum, .max, .min, .prod: return attrs(n).isEmpty ? first : nil
    case .concat: return x.count == 1 ? first : nil
    case .roll:
      let a = attrs(n)
      if a[1] == 0 { return first }
      return inner == .roll && attrs(first)[0] == a[0] ? roll(input(first, 0), axis: a[0], by: attrs(first)[1] + a[1]) : nil
    case .matmul:
      // A transposed operand becomes a flag.
      let a = attrs(n)
      guard a[2] + a[3] == 0 else { return nil }
      var y = x, f = a
      for slot in 0 ..< 2 where structural(x[slot]) == .transpose && attrs(x[slot]) == [1, 0] {
        y[slot] = input(x[slot], 0)
        f[slot] = 1 - f[slot]
      }
      if y != x { return apply(.matmul, y, f) }
      return nil
    default: return nil
    }
  }

  private func isWhole(_ a: [Int]) -> Bool { stride(from: 0, to: a.count, by: 3).allSatisfy { a[$0] == 0 && a[$0 + 2] == 1 } }

  /// A row of constants, computed by the row's own kernel.
  private func folded(_ op: OpCode, _ n: NodeID, _ x: [NodeID]) -> NodeID? {
    var slots: [UInt64] = []
    for o in x {
      guard let c = uniformConstant(o) else { return nil }
      slots.append(stored(c))
    }
    let d = op.elementwiseDType(dtype(x[0]), x.count > 1 ? dtype(x[1]) : nil), result = dtype(n)
    guard let kernel = ck_row_kernel(Int32(op.raw), d.compute.rawValue) else { return nil }
    while slots.count < 3 { slots.append(0) }
    var out: UInt64 = 0
    kernel(&slots[0], &slots[1], &slots[2], &out, 1)
    let value: NodeID
    switch result {
    case .f64: value = constant(.f64, bits: out)
    case .f32, .f16, .bf16: value = constant(result, Double(Float(bitPattern: UInt32(truncatingIfNeeded: out))))
    case .i64: value = constant(.i64, bits: out)
    case .i32: value = constant(.i32, integer: Int64(Int32(truncatingIfNeeded: out)))
    case .bool: value = constant(.bool, integer: out & 0xFF == 0 ? 0 : 1)
    }
    return splat(value, shape(n))
  }

  /// A scalar constant as kernels read it.
  func stored(_ c: NodeID) -> UInt64 {
    let bits = constantBits(c)
    switch dtype(c) {
    case .f32, .f16, .bf16: return UInt64(Float(Double(bitPattern: bits)).bitPattern)
    default: return bits
    }
  }
}

extension OpCode {
  /// The dtype whose kernel a row runs, given its operands'.
  package func elementwiseDType(_ x: DType, _ y: DType?) -> DType {
    let c = ck_row_class(Int32(raw))
    return c == .SELECT || c == .GATE ? y ?? x : x
  }
}
