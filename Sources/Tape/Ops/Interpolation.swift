import CKernels

/// Interpolation on rectilinear grids, composed of rows: intervals are found, corners gathered, and weights are polynomials in the place
/// within an interval, so that derivatives of all orders are exact.
extension Tape {
  package enum Method: Int { case nearest = 0, linear = 1, cubic = 3 }
  package enum Ends: Int { case notAKnot, natural, clamped, periodic }
  package enum Outside: Int { case clamp, extrapolate, nan, error, wrap }

  /// Values [n, any…] at knots [n], at x of any shape.
  package func interpolate(_ x: NodeID, _ knots: NodeID, _ values: NodeID, _ method: Method, _ ends: Ends, _ outside: Outside) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "interp: x is not a node of this tape") : .none }
    return interpolated("interp", [x], [knots], values, method, ends, outside)
  }

  /// Values [n0, n1, …, any…] at a grid, at x [points…, axes].
  package func interpolate(_ x: NodeID, grid: [NodeID], _ values: NodeID, _ method: Method, _ ends: Ends, _ outside: Outside) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "interpn: x is not a node of this tape") : .none }
    let s = shape(x)
    guard let last = s.last, last == grid.count, (1 ... 6).contains(grid.count) else {
      return fail(.shape, "interpn: x of shape \(text(s)) for a grid of \(grid.count) axes; the last axis of x holds a place, of 1 to 6 axes")
    }
    guard method != .cubic || grid.count <= 3 else { return fail(.invalid, "interpn: cubic splines over \(grid.count) axes; 1 to 3 are taken") }
    let places = grid.indices.map { reshape(slice(x, axis: -1, start: $0, count: 1), Array(s.dropLast())) }
    return interpolated("interpn", places, grid, values, method, ends, outside)
  }

  private func interpolated(_ name: String, _ places: [NodeID], _ grid: [NodeID], _ values: NodeID, _ method: Method, _ ends: Ends, _ outside: Outside) -> NodeID {
    guard failure == nil, grid.allSatisfy(contains), contains(values) else { return failure == nil ? fail(.node, "\(name): an operand is not a node of this tape") : .none }
    let d = dtype(places[0]), axes = grid.count, v = shape(values)
    for n in places + grid + [values] where dtype(n) != d || !d.isFloat {
      return fail(.dtype, "\(name): \(type(n).description) where x is \(d.name); all are floats of one dtype")
    }
    guard v.count >= axes else { return fail(.shape, "\(name): values of shape \(text(v)) on a grid of \(axes) axes") }
    for (a, k) in grid.enumerated() {
      let least = method == .nearest ? 1 : method == .cubic && ends == .periodic ? 3 : 2
      guard shape(k) == [v[a]], v[a] >= least else { return fail(.shape, "\(name): knots of shape \(text(shape(k))) along axis \(a) of values \(text(v)); at least \(least)") }
      guard let bad = unordered(k) else { continue }
      return fail(.invalid, "\(name): knot \(bad) of axis \(a) is not above the one before")
    }
    if d.isHalf {
      let y = interpolated(name, places.map { cast($0, .f32) }, grid.map { cast($0, .f32) }, cast(values, .f32), method, ends, outside)
      return contains(y) ? cast(y, d) : .none
    }
    let spots = zip(places, grid).map { spot($0, $1, outside) }
    var (tables, orders) = ([values], [[Bool]]())
    orders.append([])
    for a in 0 ..< axes {
      if method == .cubic { tables += tables.map { slopes($0, axis: a, grid[a], ends) } }
      orders = orders.map { $0 + [false] } + (method == .cubic ? orders.map { $0 + [true] } : [])
    }
    guard failure == nil else { return .none }
    let any = Array(v.dropFirst(axes)), count = v.prefix(axes).reduce(1, &*), points = shape(places[0])
    var result: NodeID?
    for corner in 0 ..< 1 << axes {
      var index: NodeID?
      for a in 0 ..< axes {
        let up = corner >> a & 1
        if v[a] == 1, up == 1 { index = nil; break }
        let i = up == 1 ? add(spots[a].index, like(spots[a].index, 1)) : spots[a].index
        index = index.map { add(scale($0, Double(v[a])), i) } ?? i
      }
      guard let index else { continue }
      for (table, slopes) in zip(tables, orders) {
        var weight: NodeID?
        for a in 0 ..< axes where v[a] > 1 {
          let w = self.weight(spots[a], up: corner >> a & 1 == 1, slope: slopes[a], method)
          weight = weight.map { method == .nearest ? and($0, w) : mul($0, w) } ?? w
        }
        var term = gather(reshape(table, [count] + any), index, axis: -1 - any.count)
        if let weight {
          let wide = broadcast(reshape(weight, points + [Int](repeating: 1, count: any.count)), to: points + any)
          // Where the nearest is another corner, nothing of this one counts.
          term = method == .nearest ? select(wide, term, zeros(term)) : mul(term, wide)
        }
        result = result.map { add($0, term) } ?? term
      }
    }
    guard var y = result, contains(y) else { return .none }
    if outside == .nan {
      for s in spots {
        let inside = and(binary(.ge, s.given, s.first), binary(.le, s.given, s.last))
        let wide = broadcast(reshape(inside, points + [Int](repeating: 1, count: any.count)), to: points + any)
        y = select(wide, y, like(y, .nan))
      }
    }
    return y
  }

  /// The interval of each place: its number, its length, the place within it from 0 to 1, and the ends of all.
  private struct Spot { var given: NodeID, index: NodeID, length: NodeID, u: NodeID, first: NodeID, last: NodeID }

  private func spot(_ place: NodeID, _ knots: NodeID, _ outside: Outside) -> Spot {
    guard contains(place), contains(knots) else { return Spot(given: .none, index: .none, length: .none, u: .none, first: .none, last: .none) }
    let n = shape(knots)[0], s = shape(place)
    func end(_ i: Int) -> NodeID { broadcast(reshape(slice(knots, axis: -1, start: i, count: 1), []), to: s) }
    let first = end(0), last = end(n - 1)
    var x = place
    if outside == .clamp { x = ternary(.clamp, place, first, last) }
    if outside == .wrap {
      let period = sub(last, first)
      x = sub(place, mul(period, unary(.floor, div(sub(place, first), period))))
    }
    let found = apply(.searchsorted, [knots, x], [0, 1, outside == .error ? 1 : 0])
    let index = ternary(.clamp, sub(found, like(found, 1)), like(found, 0), like(found, Double(max(n - 2, 0))))
    if n == 1 { return Spot(given: place, index: index, length: first, u: x, first: first, last: last) }
    let low = gather(knots, index, axis: -1), length = sub(gather(knots, add(index, like(index, 1)), axis: -1), low)
    return Spot(given: place, index: index, length: length, u: div(sub(x, low), length), first: first, last: last)
  }

  /// The weight of a value (or slope) at the lower or upper end of an interval. Exactly 1 and 0 at knots.
  private func weight(_ s: Spot, up: Bool, slope: Bool, _ method: Method) -> NodeID {
    let u = s.u, v = sub(like(u, 1), u)
    switch method {
    case .nearest: return binary(up ? .gt : .le, u, like(u, 0.5))
    case .linear: return up ? u : v
    case .cubic:
      let (a, b) = up ? (u, v) : (v, u)   // a: 1 at this end, b: the distance from it
      let square = mul(a, a)
      if !slope { return mul(square, add(like(u, 1), scale(b, 2))) }
      let w = mul(mul(square, b), s.length)
      return up ? neg(w) : w
    }
  }

  /// The first knot, of those that are constants, that is not above the one before it.
  private func unordered(_ k: NodeID) -> Int? {
    if structural(k) == .capture { return parent?.unordered(NodeID(record(k).a)) }
    guard structural(k) == .array, dtype(k) == .f64 || dtype(k) == .f32 else { return nil }
    let p = arrays[Int(record(k).a)].data, n = shape(k)[0], wide = dtype(k) == .f64
    func at(_ i: Int) -> Double { wide ? p.load(fromByteOffset: 8 * i, as: Double.self) : Double(p.load(fromByteOffset: 4 * i, as: Float.self)) }
    return (1 ..< max(n, 1)).first { !(at($0) > at($0 - 1)) }
  }

  /// The slopes at the knots of the cubic splines along `axis`: a tridiagonal system (de Boor, A Practical Guide to Splines, ch. IV).
  private func slopes(_ values: NodeID, axis: Int, _ knots: NodeID, _ ends: Ends) -> NodeID {
    guard contains(values), contains(knots) else { return .none }
    let s = shape(values), n = s[axis], order = [axis] + s.indices.filter { $0 != axis }
    // The axis first, all else as columns.
    let columns = reshape(transpose(values, order), [n, s.reduce(1, &*) / max(n, 1)])
    let m = shape(columns)[1]
    func part(_ x: NodeID, _ from: Int, _ count: Int) -> NodeID { slice(x, axis: shape(x).count == 1 ? -1 : -2, start: from, count: count) }
    func wide(_ x: NodeID) -> NodeID { broadcast(reshape(x, [shape(x)[0], 1]), to: [shape(x)[0], m]) }
    var y = columns
    if ends == .periodic { y = concat([part(columns, 0, n - 1), part(columns, 0, 1)], axis: -2) }
    let h = sub(part(knots, 1, n - 1), part(knots, 0, n - 1)), slope = div(sub(part(y, 1, n - 1), part(y, 0, n - 1)), wide(h))
    guard failure == nil else { return .none }
    let z: NodeID
    if ends == .periodic {
      z = periodic(h, slope, n, m)
    } else if n == 2, ends != .clamped {
      z = broadcast(slope, to: [n, m])
    } else {
      let h0 = part(h, 0, n - 2), h1 = part(h, 1, n - 2)
      let inner = scale(add(mul(wide(h1), part(slope, 0, n - 2)), mul(wide(h0), part(slope, 1, n - 2))), 3)
      // First and last row: diagonal, its neighbour, right-hand side.
      func end(_ a: NodeID, _ b: NodeID, _ sa: NodeID, _ sb: NodeID) -> (NodeID, NodeID, NodeID) {
        let one = like(a, 1)
        switch ends {
        case .clamped: return (one, like(a, 0), like(sa, 0))
        case .natural: return (like(a, 2), one, scale(sa, 3))
        default:
          // Three knots: a parabola, whose two ends would say the same twice.
          if n == 3 { return (one, one, scale(sa, 2)) }
          let d = add(a, b), left = mul(wide(mul(add(a, scale(d, 2)), b)), sa), right = mul(wide(mul(a, a)), sb)
          return (b, d, div(add(left, right), wide(d)))
        }
      }
      let few = n == 2
      let (d0, u0, r0) = end(part(h, 0, 1), few ? part(h, 0, 1) : part(h, 1, 1), part(slope, 0, 1), few ? part(slope, 0, 1) : part(slope, 1, 1))
      let (d1, l1, r1) = end(part(h, n - 2, 1), few ? part(h, 0, 1) : part(h, n - 3, 1), part(slope, n - 2, 1), few ? part(slope, 0, 1) : part(slope, n - 3, 1))
      let zero = like(d0, 0)
      z = solveTridiagonal(concat([zero, h1, l1], axis: -1), concat([d0, scale(add(h0, h1), 2), d1], axis: -1), concat([u0, h0, zero], axis: -1), concat([r0, inner, r1], axis: -2))
    }
    guard contains(z) else { return .none }
    var back = [Int](repeating: 0, count: s.count)
    for (i, a) in order.enumerated() { back[a] = i }
    return transpose(reshape(z, order.map { s[$0] }), back)
  }

  /// The cyclic system of n - 1 slopes, by one tridiagonal solution with a column more (Sherman and Morrison).
  private func periodic(_ h: NodeID, _ slope: NodeID, _ n: Int, _ m: Int) -> NodeID {
    let k = n - 1
    func part(_ x: NodeID, _ from: Int, _ count: Int) -> NodeID { slice(x, axis: shape(x).count == 1 ? -1 : -2, start: from, count: count) }
    func wide(_ x: NodeID, _ columns: Int) -> NodeID { broadcast(reshape(x, [shape(x)[0], 1]), to: [shape(x)[0], columns]) }
    // Row i: h[i] s[i-1] + 2 (h[i-1] + h[i]) s[i] + h[i-1] s[i+1] = 3 (h[i] slope[i-1] + h[i-1] slope[i]), indices round.
    let before = roll(h, axis: -1, by: -1), diagonal = scale(add(before, h), 2)
    let right = scale(add(mul(wide(h, m), roll(slope, axis: -2, by: -1)), mul(wide(before, m), slope)), 3)
    let a = part(h, 0, 1), b = part(before, k - 1, 1), d0 = part(diagonal, 0, 1)   // corners A[0, k-1] = a, A[k-1, 0] = b
    if k == 2 {
      // Neighbours on both sides are the same one.
      let off = add(before, h), d1 = part(diagonal, 1, 1), o0 = part(off, 0, 1), o1 = part(off, 1, 1), r0 = part(right, 0, 1), r1 = part(right, 1, 1)
      let det = sub(mul(d0, d1), mul(o0, o1))
      let x0 = div(sub(mul(wide(d1, m), r0), mul(wide(o0, m), r1)), wide(det, m)), x1 = div(sub(mul(wide(d0, m), r1), mul(wide(o1, m), r0)), wide(det, m))
      return concat([x0, x1, x0], axis: -2)
    }
    let g = neg(d0), zero = like(d0, 0)
    let changed = concat([sub(d0, g), part(diagonal, 1, k - 2), sub(part(diagonal, k - 1, 1), div(mul(a, b), g))], axis: -1)
    let u = reshape(concat([g] + (k > 2 ? [full(TensorType(dtype(h), [k - 2]), 0)] : []) + [b], axis: -1), [k, 1])
    let both = solveTridiagonal(concat([zero, part(h, 1, k - 1)], axis: -1), changed, concat([part(before, 0, k - 1), zero], axis: -1), concat([right, u], axis: -1))
    guard contains(both) else { return .none }
    let y = slice(both, axis: -1, start: 0, count: m), q = slice(both, axis: -1, start: m, count: 1)
    let ratio = div(a, g)
    let top = add(part(y, 0, 1), mul(wide(ratio, m), part(y, k - 1, 1))), bottom = add(like(ratio, 1), add(reshape(part(q, 0, 1), [1]), mul(ratio, reshape(part(q, k - 1, 1), [1]))))
    let x = sub(y, mul(broadcast(q, to: [k, m]), broadcast(div(top, wide(bottom, m)), to: [k, m])))
    return concat([x, part(x, 0, 1)], axis: -2)
  }
}
