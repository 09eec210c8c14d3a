import CKernels

/// Uniform numbers on [0, 1) from keys [batch…]; attrs: [dtype, shape…]; result [batch…, shape…].
let uniformRow = Row(
  name: "random_uniform",
  infer: { x, a in
    guard x[0].dtype == .i64 else { return .fail(.dtype, "the key is i64, not \(x[0].dtype.name)") }
    guard let d = DType(rawValue: Int32(a[0])), d.isFloat else { return .fail(.dtype, "gives floats only") }
    guard let t = TensorType(d, checking: x[0].shape + a.dropFirst()) else { return .fail(.shape, "shape \(text(a.dropFirst())) cannot exist") }
    return .type(t)
  },
  derivative: .zero
) { c in
  let n = c.attrs.dropFirst().reduce(1, &*)
  ck_random_uniform(c.type.dtype.rawValue, c.input(0, as: Int64.self), c.out, c.types[0].count, n)
  return nil
}

func randomRow(_ s: Structural) -> Row { uniformRow }

extension Tape {
  package func randomUniform(_ key: NodeID, _ d: DType, _ shape: [Int]) -> NodeID { apply(.random, [key], [Int(d.rawValue)] + shape) }

  /// Box-Muller on two streams, computed in f32 or wider. 1 - u lies in (0, 1].
  package func randomNormal(_ key: NodeID, _ d: DType, _ shape: [Int]) -> NodeID {
    guard contains(key) else { return failure == nil ? fail(.node, "random_normal: the key is not a node of this tape") : .none }
    let w = d.compute
    func stream(_ i: Int64) -> NodeID {
      let k = splat(constant(.i64, integer: i), self.shape(key))
      return randomUniform(binary(.fold_key, key, k), w, shape)
    }
    let u = stream(0x6E6F_726D), v = stream(0x616C_0001)
    guard contains(u), contains(v) else { return .none }
    let r = unary(.sqrt, scale(unary(.log, sub(like(u, 1), u)), -2))
    return cast(mul(r, unary(.cos, scale(v, 2 * .pi))), d)
  }

  package func dropout(_ x: NodeID, _ key: NodeID, rate: Double) -> NodeID {
    guard contains(x), contains(key) else { return failure == nil ? fail(.node, "dropout: an operand is not a node of this tape") : .none }
    guard rate >= 0, rate < 1 else { return fail(.invalid, "dropout: rate \(rate) is not in [0, 1)") }
    guard dtype(x).isFloat else { return fail(.dtype, "dropout: takes a float, not \(type(x).description)") }
    if rate == 0 { return x }
    let u = randomUniform(key, .f32, shape(x))
    guard contains(u) else { return .none }
    return select(binary(.ge, u, like(u, rate)), div(x, like(x, 1 - rate)), zeros(x))
  }
}
