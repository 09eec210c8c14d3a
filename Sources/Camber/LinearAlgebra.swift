import Tape

/// Which norm of matrices: of singular values (nuclear: their sum; two, minusTwo: the largest and smallest), of columns (one), of rows (infinity).
public enum MatrixNorm: String, CaseIterable, Sendable {
  case frobenius = "fro", nuclear = "nuc", two = "2", minusTwo = "-2", one = "1", minusOne = "-1", infinity = "inf", minusInfinity = "-inf"
  fileprivate var core: CoreTape.MatrixNorm { CoreTape.MatrixNorm(rawValue: rawValue) ?? .fro }
}

/// Linear algebra of matrices [.., m, n]; camber.h says what each does, and what its derivatives are.
extension Node {
  private func made(_ others: [Node] = [], _ body: (CoreTape, [NodeID]) -> NodeID) -> Node {
    let home = Node.home([self] + others)
    return home.node(home.core.failure == nil ? body(home.core, ([self] + others).map(home.id)) : .none)
  }
  private func several(_ count: Int, with others: [Node] = [], _ body: (CoreTape, [NodeID]) -> [NodeID]) -> [Node] {
    let home = Node.home([self] + others)
    let out = home.core.failure == nil ? body(home.core, ([self] + others).map(home.id)) : []
    return (0 ..< count).map { home.node($0 < out.count && home.core.failure == nil ? out[$0] : .none) }
  }

  public func inv() -> Node { made { $0.inverse($1[0]) } }
  public func det() -> Node { made { $0.determinant($1[0]) } }
  public func slogdet() -> (sign: Node, logabs: Node) {
    let n = several(2) { $0.slogdet($1[0]) }
    return (n[0], n[1])
  }
  /// L, U and the row order p: row i of L U is row p[i].
  public func lu() -> (l: Node, u: Node, p: Node) {
    let n = several(3) { $0.lu($1[0]) }
    return (n[0], n[1], n[2])
  }
  public func qr(full: Bool = false) -> (q: Node, r: Node) {
    let n = several(2) { $0.qr($1[0], full: full) }
    return (n[0], n[1])
  }
  /// Eigenvalues, ascending, and vectors of a symmetric matrix of which one triangle is read.
  public func eigh(lower: Bool = true) -> (w: Node, v: Node) {
    let n = several(2) { $0.eigh($1[0], lower: lower) }
    return (n[0], n[1])
  }
  /// A v = w B v.
  public func eigh(_ b: Node) -> (w: Node, v: Node) {
    let n = several(2, with: [b]) { $0.eigh($1[0], $1[1]) }
    return (n[0], n[1])
  }
  public func eigvalsh(lower: Bool = true) -> Node { made { $0.apply(.eigvalsh, [$1[0]], [lower ? 1 : 0]) } }
  public func svd(full: Bool = false) -> (u: Node, s: Node, vt: Node) {
    let n = several(3) { $0.svd($1[0], full: full) }
    return (n[0], n[1], n[2])
  }
  public func svdvals() -> Node { made { $0.apply(.svdvals, [$1[0]]) } }
  public func lstsq(_ b: Node) -> Node { made([b]) { $0.lstsq($1[0], $1[1]) } }
  public func pinv(cut: Double = -1) -> Node { made { $0.pinv($1[0], cut: cut) } }
  /// X with A X = B, where this is the factor that cholesky gave.
  public func choleskySolve(_ b: Node) -> Node { made([b]) { $0.choleskySolve($1[0], $1[1]) } }
  public func expm() -> Node { made { $0.apply(.expm, [$1[0]]) } }
  public func sqrtm() -> Node { made { $0.apply(.sqrtm, [$1[0]]) } }
  public func matrixPower(_ n: Int) -> Node { made { $0.matrixPower($1[0], n) } }
  public func kron(_ b: Node) -> Node { made([b]) { $0.kron($1[0], $1[1]) } }
  /// X with A X + X B = C.
  public func sylvester(_ b: Node, _ c: Node) -> Node { made([b, c]) { $0.sylvester($1[0], $1[1], $1[2]) } }
  /// X with A X + X A^T = Q or, discrete, X - A X A^T = Q.
  public func lyapunov(_ q: Node, discrete: Bool = false) -> Node { made([q]) { $0.lyapunov($1[0], $1[1], discrete: discrete) } }
  /// X with A X = B, where this holds A's diagonals: self[above + i - j, j] = A[i, j].
  public func solveBanded(_ b: Node, below: Int, above: Int) -> Node { made([b]) { $0.solveBanded($1[0], $1[1], below: below, above: above) } }
  /// X with A X = B, where this is A's diagonal, and lower[i], upper[i] stand beside it in row i.
  public func solveTridiagonal(_ b: Node, lower: Node, upper: Node) -> Node { made([b, lower, upper]) { $0.solveTridiagonal($1[2], $1[0], $1[3], $1[1]) } }
  public func matrixNorm(_ kind: MatrixNorm = .frobenius) -> Node { made { $0.matrixNorm($1[0], kind.core) } }
  public func matrixCond(_ kind: MatrixNorm = .two) -> Node { made { $0.cond($1[0], kind.core) } }
  public func matrixRank(tolerance: Double = -1) -> Node { made { $0.matrixRank($1[0], tolerance: tolerance) } }
}
