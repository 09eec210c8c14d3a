public import CCamber
import Optimize
import Runtime
import Tape

final class SolverHandle: Handled {
  let solver: Solver
  init(_ s: Solver) { solver = s }
}

private func made(_ tape: OpaquePointer?, _ name: StaticString, _ outputs: Nodes?, _ outputCount: Int, _ variables: Nodes?, _ variableCount: Int, _ data: Nodes?, _ dataCount: Int,
                  _ method: UnsafePointer<CChar>?, _ make: (Tape, [NodeID], [NodeID], [NodeID], String) throws(Failure) -> Solver) -> OpaquePointer? {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  guard h.tape.failure == nil else { return nil }
  guard let method else {
    h.tape.fail(.invalid, "\(name): the method's name is NULL")
    return nil
  }
  guard let y = h.nodes(outputs, outputCount, name), let x = h.nodes(variables, variableCount, name), let d = h.nodes(data, dataCount, name) else { return nil }
  do { return makeHandle(.solver, SolverHandle(try make(h.tape, y, x, d, String(cString: method)))) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}

@_cdecl("camber_minimize") @implementation public func camber_minimize(
  _ tape: OpaquePointer!, _ output: camber_node, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int, _ method: UnsafePointer<CChar>!
) -> OpaquePointer! {
  var y = output
  return withUnsafePointer(to: &y) { p in
    made(tape, "minimize", p, 1, variables, variable_count, data, data_count, method) { (t, y, x, d, m) throws(Failure) in try Solver.minimize(t, y[0], x, d, method: m) }
  }
}
@_cdecl("camber_least_squares") @implementation public func camber_least_squares(
  _ tape: OpaquePointer!, _ residuals: Nodes!, _ residual_count: Int, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int, _ method: UnsafePointer<CChar>!
) -> OpaquePointer! {
  made(tape, "least_squares", residuals, residual_count, variables, variable_count, data, data_count, method) { (t, y, x, d, m) throws(Failure) in
    try Solver.leastSquares(t, y, x, d, method: m)
  }
}
@_cdecl("camber_solver_free") @implementation public func camber_solver_free(_ solver: OpaquePointer!) { freeHandle(.solver, solver) }

@_cdecl("camber_solver_set") @implementation public func camber_solver_set(_ solver: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = solverHandle(solver) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "solver: the option's name is NULL")) }
  return h.solver.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_solver_run") @implementation public func camber_solver_run(
  _ solver: OpaquePointer!, _ data: UnsafePointer<UnsafeRawPointer?>!, _ x: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status {
  guard let h = solverHandle(solver) else { return CAMBER_EHANDLE.raw }
  guard let x, data != nil || h.solver.data.isEmpty else { return h.fail(Failure(.invalid, "solver: the array of variables or data is NULL")) }
  let known = h.solver.data.indices.map { data[$0] }, host = h.solver.variables.indices.map { x[$0] }
  do {
    let o = try h.solver.run(data: known, host)
    h.say(h.solver.explanation)
    return o == .nonfinite ? CAMBER_NONFINITE.raw : 0
  } catch { return h.fail(error) }
}
@_cdecl("camber_solver_outcome") @implementation public func camber_solver_outcome(_ solver: OpaquePointer!) -> Int32 { solverHandle(solver)?.solver.outcome?.rawValue ?? -1 }
@_cdecl("camber_solver_message") @implementation public func camber_solver_message(_ solver: OpaquePointer!) -> UnsafePointer<CChar>! {
  solverHandle(solver)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_solver_value") @implementation public func camber_solver_value(_ solver: OpaquePointer!) -> Double { solverHandle(solver)?.solver.value ?? .nan }
@_cdecl("camber_solver_iterations") @implementation public func camber_solver_iterations(_ solver: OpaquePointer!) -> Int { solverHandle(solver)?.solver.iterations ?? 0 }
@_cdecl("camber_solver_journal") @implementation public func camber_solver_journal(
  _ solver: OpaquePointer!, _ i: Int, _ value: UnsafeMutablePointer<Double>!, _ gradient: UnsafeMutablePointer<Double>!, _ step: UnsafeMutablePointer<Double>!,
  _ control: UnsafeMutablePointer<Double>!, _ evaluations: UnsafeMutablePointer<Int>!, _ products: UnsafeMutablePointer<Int>!
) -> camber_status {
  guard let h = solverHandle(solver) else { return CAMBER_EHANDLE.raw }
  guard h.solver.journal.indices.contains(i) else { return h.fail(Failure(.invalid, "solver: entry \(UInt(bitPattern: i)) of a journal of \(h.solver.journal.count)")) }
  let e = h.solver.journal[i]
  value?.pointee = e.value
  gradient?.pointee = e.gradient
  step?.pointee = e.step
  control?.pointee = e.control
  evaluations?.pointee = e.evaluations
  products?.pointee = e.products
  return 0
}
@_cdecl("camber_solver_findings") @implementation public func camber_solver_findings(_ solver: OpaquePointer!) -> OpaquePointer! {
  solverHandle(solver).flatMap { makeHandle(.findings, FindingsHandle($0.solver.findings)) }
}
@_cdecl("camber_solver_prescribe") @implementation public func camber_solver_prescribe(_ solver: OpaquePointer!, _ remedy: UnsafePointer<CChar>!) -> camber_status {
  guard let h = solverHandle(solver) else { return CAMBER_EHANDLE.raw }
  guard let remedy else { return h.fail(Failure(.invalid, "prescribe: the remedy is NULL")) }
  do { h.say(try h.solver.prescribe(String(cString: remedy))) } catch { return h.fail(error) }
  return 0
}
