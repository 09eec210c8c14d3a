import Runtime
package import Tape

/// Why a solve ended. Every outcome is a result: x holds the best point that was found.
package enum Outcome: Int32, CaseIterable, Sendable {
  case converged, smallStep, steps, stalled, nonfinite, unbounded
  package var sentence: String {
    switch self {
    case .converged: "converged: the gradient is within its tolerance"
    case .smallStep: "converged: further steps are within their tolerance or within rounding errors"
    case .steps: "out of steps before a tolerance was met"
    case .stalled: "stalled: rounding errors hide any further descent"
    case .nonfinite: "the function or its derivative is not finite at the first point; x is as it was"
    case .unbounded: "the value fell below -1e300: there seems to be no minimum"
    }
  }
}

/// One iteration: the value there (half the sum of squares, of residuals), the gradient's largest entry, the length of the step that led there, and what governed it
/// (the step along a line, the radius, the damping); evaluations and products so far.
package struct Entry: BitwiseCopyable {
  package var value = 0.0, gradient = 0.0, step = 0.0, control = 0.0
  package var evaluations = 0, products = 0
}

/// How points are found. A strategy is a search (how far: along a line, within a radius, under a damping) and a descent (which way).
protocol Strategy: AnyObject {
  /// The point, the best so far.
  var x: Vector { get }
  /// Looks at x. nil: go on.
  func begin() throws(Failure) -> Outcome?
  /// One iteration. nil: go on.
  func step() throws(Failure) -> Outcome?
  var entry: Entry { get }
}

/// A problem, a strategy and the loop round them.
package final class Solver {
  private let problem: Problem
  private let strategy: any Strategy
  private let name: String
  private let box: OptionBox
  package private(set) var journal: [Entry] = []
  package private(set) var outcome: Outcome?
  package var variables: [TensorType] { problem.variables }
  package var data: [TensorType] { problem.data }
  package var evaluations: Int { problem.evaluations }
  package var products: Int { problem.products }
  package var iterations: Int { max(journal.count - 1, 0) }
  package var value: Double { journal.last?.value ?? .nan }
  package var gradient: Double { journal.last?.gradient ?? .nan }
  package var explanation: String { outcome.map { "\(name): \($0.sentence)" } ?? "\(name): not run" }

  private static let minimizers = ["lbfgs", "newton-cg"], fitters = ["levenberg-marquardt", "gauss-newton-cg"]

  package static func minimize(_ t: Tape, _ y: NodeID, _ variables: [NodeID], _ data: [NodeID], method: String) throws(Failure) -> Solver {
    guard minimizers.contains(method) else { throw Failure(.invalid, "minimize: no method \"\(method)\"; there are \(minimizers.joined(separator: ", "))") }
    let box = OptionBox(method == "lbfgs" ? Wolfe.defaults + LBFGS.defaults : TrustRegion.defaults)
    let p = try Problem(t, "minimize", [y], variables, data, method == "lbfgs" ? .gradient : .hessian)
    let s: any Strategy = method == "lbfgs" ? try LineSearch(p, box) : try TrustRegion(ExactHessian(p), box)
    return Solver(p, s, method, box)
  }

  package static func leastSquares(_ t: Tape, _ residuals: [NodeID], _ variables: [NodeID], _ data: [NodeID], method: String) throws(Failure) -> Solver {
    guard fitters.contains(method) else { throw Failure(.invalid, "least_squares: no method \"\(method)\"; there are \(fitters.joined(separator: ", "))") }
    let dense = method == "levenberg-marquardt", box = OptionBox(dense ? Marquardt.defaults : TrustRegion.defaults)
    let p = try Problem(t, "least_squares", residuals, variables, data, dense ? .jacobian : .gaussNewton)
    let s: any Strategy = dense ? try Marquardt(p, box) : try TrustRegion(try GaussNewton(p), box)
    return Solver(p, s, method, box)
  }

  private init(_ p: Problem, _ s: any Strategy, _ name: String, _ box: OptionBox) {
    problem = p
    strategy = s
    self.name = name
    self.box = box
  }

  package func set(_ option: String, _ value: Double) -> Failure? {
    guard value.isFinite, value >= 0 else { return Failure(.invalid, "\(name): \(option) = \(value) is not a finite number >= 0") }
    return box.options.set(option, value) ? nil : Failure(.invalid, "\(name): no option \"\(option)\"; it has \(box.options.names)")
  }

  package func option(_ name: String) -> Double? { box.options.values.first { $0.name == name }?.value }

  /// From the point in `x` (an array a variable) to the one that is left there.
  package func run(data: [UnsafeRawPointer?], _ x: [UnsafeMutableRawPointer?]) throws(Failure) -> Outcome {
    for (i, v) in problem.variables.enumerated() where x[i] == nil && v.count > 0 { throw Failure(.invalid, "\(name): variable \(i) is NULL") }
    for (i, d) in problem.data.enumerated() where data[i] == nil && d.count > 0 { throw Failure(.invalid, "\(name): data \(i) is NULL") }
    journal = []
    outcome = nil
    problem.begin(data)
    move(x, into: true)
    var end = try strategy.begin()
    journal.append(strategy.entry)
    let most = Int(min(box.options["steps"], 1e9))
    while end == nil {
      if journal.count > most { end = .steps; break }
      end = try strategy.step()
      if end == nil || strategy.entry.value != value { journal.append(strategy.entry) }
    }
    if end != .nonfinite { move(x, into: false) }
    // Rounding errors at a point that is flat beside the first one: nothing was missed.
    if end == .stalled, let first = journal.first, gradient <= 1e-7 * first.gradient { end = .smallStep }
    outcome = end
    return end ?? .steps
  }

  /// Between the host's arrays and the flat point.
  private func move(_ host: [UnsafeMutableRawPointer?], into: Bool) {
    var at = strategy.x
    for (v, p) in zip(problem.variables, host) {
      if let p {
        for i in 0 ..< v.count {
          switch (v.dtype, into) {
          case (.f32, true): at[i] = Double((p + i * 4).loadUnaligned(as: Float.self))
          case (.f32, false): (p + i * 4).storeBytes(of: Float(at[i]), as: Float.self)
          case (_, true): at[i] = (p + i * 8).loadUnaligned(as: Double.self)
          case (_, false): (p + i * 8).storeBytes(of: at[i], as: Double.self)
          }
        }
      }
      at += v.count
    }
  }
}

/// Options that a strategy reads while the host may still set them.
final class OptionBox {
  var options: Options
  init(_ own: [(String, Double)]) { options = Options([("steps", 1000), ("gradient_tolerance", 1e-8), ("step_tolerance", 1e-14)] + own) }
  subscript(_ name: String) -> Double { options[name] }
}
