import Tape

private func f(_ s: Int...) -> TensorType { TensorType(.f64, s) }

/// Random entries around the diagonal 1, 3, 6, 10, ...: singular and eigenvalues stay apart.
private func spread(_ g: inout Random, _ batch: Int, _ m: Int, _ n: Int) -> Doubles {
  (0 ..< batch).flatMap { _ in
    var a = g.values(m * n, -0.5, 0.5)
    for i in 0 ..< min(m, n) { a[i * n + i] += Double((i + 1) * (i + 2) / 2) }
    return a
  }
}

/// Rows that LAPACK computes: shapes tall, square, wide and empty, alone and in a batch.
func lapackCases(_ s: Structural) -> [Case] {
  func make(_ shapes: [[Int]], slack: Double = 16, name: String = "", _ build: @escaping (Tape, [NodeID]) -> [NodeID]) -> Case {
    let types = shapes.map { TensorType(.f64, $0) }
    return Case(name: "\(row(s).name) \(name)\(shapes.map { "\($0)" }.joined(separator: " "))", types: types, active: Array(shapes.indices), slack: slack, dtypes: [.f64, .f32],
                sample: { g in shapes.map { s in spread(&g, s.dropLast(2).reduce(1, *), s[s.count - 2], s[s.count - 1]) } }, build: build)
  }
  func symmetric(_ t: Tape, _ x: NodeID) -> NodeID { t.scale(t.add(x, t.matrixTranspose(x)), 0.5) }
  switch s {
  case .lu: return [[3, 3], [4, 2], [2, 4], [2, 3, 3], [0, 0], [2, 0], [0, 2]].map { make([$0]) { t, x in [t.apply(.lu, [x[0]])] } }
  case .qr:
    return [[3, 3], [4, 2], [2, 4], [2, 3, 2], [0, 0], [2, 0]].flatMap { shape in (0 ..< 2).map { full in make([shape], name: full == 1 ? "full " : "") { t, x in
      full == 0 ? [t.apply(.qr, [x[0]], [0])] : products(t, t.qr(x[0], full: true))
    } } }
  case .eigh: return [[3, 3], [1, 1], [2, 3, 3], [0, 0]].map { make([$0]) { t, x in [t.apply(.eigh, [symmetric(t, x[0])], [1])] } }
  case .eigvalsh: return [[3, 3], [2, 2, 2], [0, 0]].flatMap { shape in (0 ..< 2).map { low in make([shape], name: "\(low) ") { t, x in [t.apply(.eigvalsh, [symmetric(t, x[0])], [low])] } } }
  case .svd:
    return [[3, 3], [4, 2], [2, 4], [2, 3, 2], [0, 0], [2, 0]].flatMap { shape in (0 ..< 2).map { full in make([shape], name: full == 1 ? "full " : "") { t, x in
      if full == 0 { return [t.apply(.svd, [x[0]], [0])] }
      let f = t.svd(x[0], full: true), k = min(shape[shape.count - 1], shape[shape.count - 2])
      func rest(_ v: NodeID, _ axis: Int) -> NodeID {
        let n = t.shape(v)[t.shape(v).count + axis]
        return t.slice(v, axis: axis, start: n > k ? k : 0, count: n - k)
      }
      let u = rest(f[0], -1), v = rest(f[2], -2)
      return [f[1], t.matmul(u, u, false, true), t.matmul(v, v, true, false)]
    } } }
  case .svdvals: return [[3, 3], [4, 2], [2, 4], [2, 2, 2], [0, 3]].map { make([$0]) { t, x in [t.apply(.svdvals, [x[0]])] } }
  case .det: return [[3, 3], [4, 4], [2, 2, 2], [0, 0]].map { make([$0], slack: 64) { t, x in [t.apply(.det, [x[0]])] } }
  case .slogdet: return [[3, 3], [2, 2, 2], [0, 0]].map { make([$0]) { t, x in [t.apply(.slogdet, [x[0]])] } }
  case .cofactor: return [[3, 3], [2, 2, 2]].map { make([$0], slack: 64) { t, x in [t.apply(.cofactor, [x[0]])] } }
  case .pinv: return [[3, 3], [4, 2], [2, 4], [2, 3, 2]].map { make([$0], slack: 64) { t, x in [t.pinv(x[0])] } }
  case .expm:
    return [[3, 3], [1, 1], [2, 2, 2], [0, 0]].flatMap { shape in (0 ..< 3).map { k in make([[Int]](repeating: shape, count: k + 1), slack: 256) { t, x in [t.apply(.expm, x.map { t.scale($0, 0.5) })] } } }
  case .sqrtm: return [[3, 3], [2, 2, 2], [0, 0]].map { make([$0]) { t, x in [t.apply(.sqrtm, [x[0]])] } }
  case .sylvester:
    return (0 ..< 8).map { k in
      let shapes = k == 7 ? [[2, 3, 3], [2, 2, 2], [2, 3, 2]] : [[3, 3], [2, 2], [3, 2]]
      return make(shapes, slack: 64) { t, x in [t.apply(.sylvester, [x[0], t.scale(x[1], k & 4 == 0 ? 1 : 0.02), x[2]], [k & 1, k >> 1 & 1, k >> 2])] }
    }
  default:
    return [(0, 0), (1, 1), (2, 1), (0, 2)].flatMap { l, u in (0 ..< 2).map { transposed in
      let w = l + u + 1, batch = transposed == 1 && l == 1
      return make(batch ? [[2, w, 4], [2, 4, 2]] : [[w, 4], [4, 2]]) { t, x in
        let middle = t.cast(t.binary(.eq, t.iota(TensorType(.i64, [w, 4]), axis: -2), t.full(TensorType(.i64, [w, 4]), Double(u))), t.dtype(x[0]))
        return [t.apply(.solveBanded, [t.add(t.scale(x[0], 0.2), t.broadcast(t.scale(middle, 3), to: t.shape(x[0]))), x[1]], [l, u, transposed])]
      }
    } }
  }
}

/// Of a full Q what does not depend on how its last columns are chosen.
private func products(_ t: Tape, _ f: [NodeID]) -> [NodeID] { [f[1], t.matmul(f[0], f[1])] }
