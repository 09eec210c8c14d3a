public import CCamber
import Glibc
import Health
import Sparse
import Tape

final class PlanHandle: Handled {
  let plan: MethodPlan
  let inputs: Int
  private var words: [UnsafeMutablePointer<CChar>?] = [nil, nil]
  init(_ p: MethodPlan, _ inputs: Int) {
    plan = p
    self.inputs = inputs
    p.weigh = derivativeError
  }
  func kept(_ s: String, _ k: Int) -> UnsafePointer<CChar> {
    free(words[k])
    words[k] = strdup(s)
    return words[k].map { UnsafePointer($0) } ?? empty
  }
  deinit { for w in words { free(w) } }
}

private func planned(_ name: UnsafePointer<CChar>?) -> MethodPlan.Kind? {
  guard let name else { return nil }
  switch String(cString: name) {
  case "jacobian": return .jacobian
  case "hessian": return .hessian
  case "sparse_jacobian": return .sparseJacobian
  case "sparse_hessian": return .sparseHessian
  default: return nil
  }
}

@_cdecl("camber_plan_new") @implementation public func camber_plan_new(
  _ tape: OpaquePointer!, _ kind: UnsafePointer<CChar>!, _ outputs: Nodes!, _ output_count: Int, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  return made(h, kind, outputs, output_count, variables, variable_count, data, data_count)
}

@inline(never) private func made(_ h: TapeHandle, _ kind: UnsafePointer<CChar>?, _ outputs: Nodes?, _ m: Int, _ variables: Nodes?, _ n: Int, _ data: Nodes?, _ d: Int) -> OpaquePointer? {
  let t = h.tape
  guard t.failure == nil else { return nil }
  guard let k = planned(kind) else {
    t.fail(.invalid, "plan: kind is jacobian, hessian, sparse_jacobian or sparse_hessian")
    return nil
  }
  guard let y = h.nodes(outputs, m, "plan"), let x = h.nodes(variables, n, "plan"), let c = h.nodes(data, d, "plan") else { return nil }
  do throws(Failure) { return makeHandle(.plan, PlanHandle(try MethodPlan(t, k, y, x, c), n + d)) } catch {
    t.fail(error.code, error.message)
    return nil
  }
}

@_cdecl("camber_plan_free") @implementation public func camber_plan_free(_ plan: OpaquePointer!) { freeHandle(.plan, plan) }

@_cdecl("camber_plan_set") @implementation public func camber_plan_set(_ plan: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = planHandle(plan) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "plan: the option's name is NULL")) }
  let s = String(cString: name)
  guard ["accurate", "evaluations", "rounding", "taste"].contains(s) else { return h.fail(Failure(.invalid, "plan: no option is called \(s); there are accurate, evaluations, rounding, taste")) }
  guard s == "evaluations" ? value >= 0 && value.isFinite : value == 0 || value == 1 else {
    return h.fail(Failure(.invalid, s == "evaluations" ? "plan: evaluations is a number from 0 on, not \(value)" : "plan: \(s) is 0 or 1, not \(value)"))
  }
  switch s {
  case "accurate": h.plan.accurate = value == 1
  case "evaluations": h.plan.evaluations = value
  case "rounding": h.plan.rounding = value == 1
  default: h.plan.taste = value == 1
  }
  return 0
}

@_cdecl("camber_plan_run") @implementation public func camber_plan_run(_ plan: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  guard let h = planHandle(plan) else { return CAMBER_EHANDLE.raw }
  return run(h, inputs)
}
@inline(never) private func run(_ h: PlanHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
  var point: [UnsafeRawPointer?]?
  if let inputs {
    var list: [UnsafeRawPointer?] = []
    for i in 0 ..< h.inputs {
      if inputs[i] == nil, h.plan.inputBytes(i) > 0 { return h.fail(Failure(.invalid, "plan: input \(i) is NULL")) }
      list.append(inputs[i] ?? UnsafeRawPointer(bitPattern: 64))
    }
    point = list
  }
  do throws(Failure) {
    try h.plan.run(point: point)
    return 0
  } catch { return h.fail(error) }
}

@_cdecl("camber_plan_message") @implementation public func camber_plan_message(_ plan: OpaquePointer!) -> UnsafePointer<CChar>! {
  planHandle(plan)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}

/// Names of methods, for as long as the process lives.
private let names: [UnsafePointer<CChar>] = PlanMethod.allCases.map { strdup($0.name).map { UnsafePointer($0) } ?? empty }

@_cdecl("camber_plan_method") @implementation public func camber_plan_method(_ plan: OpaquePointer!) -> UnsafePointer<CChar>! {
  guard let m = planHandle(plan)?.plan.chosen else { return empty }
  return names[Int(m.rawValue)]
}
@_cdecl("camber_plan_count") @implementation public func camber_plan_count(_ plan: OpaquePointer!) -> Int { planHandle(plan)?.plan.table.count ?? 0 }

@_cdecl("camber_plan_entry") @implementation public func camber_plan_entry(
  _ plan: OpaquePointer!, _ i: Int, _ method: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ numbers: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = planHandle(plan) else { return CAMBER_EHANDLE.raw }
  let t = h.plan.table
  guard t.indices.contains(i) else { return h.fail(Failure(.invalid, "plan: entry \(UInt(bitPattern: i)) of \(t.count)")) }
  method?.pointee = names[Int(t[i].method.rawValue)]
  if let numbers {
    numbers[0] = t[i].applies ? 1 : 0
    numbers[1] = t[i].flops
    numbers[2] = t[i].bytes
    numbers[3] = Double(t[i].colours)
    numbers[4] = Double(t[i].passes)
    numbers[5] = t[i].memory
    numbers[6] = t[i].predicted
    numbers[7] = t[i].measured
    numbers[8] = t[i].error
  }
  return 0
}

@_cdecl("camber_plan_explain") @implementation public func camber_plan_explain(_ plan: OpaquePointer!, _ json: Int32) -> UnsafePointer<CChar>! {
  guard let h = planHandle(plan) else { return camber_status_message(CAMBER_EHANDLE.raw) }
  return json != 0 ? h.kept(h.plan.json, 1) : h.kept(h.plan.text, 0)
}

@_cdecl("camber_plan_blocks") @implementation public func camber_plan_blocks(
  _ tape: OpaquePointer!, _ kind: UnsafePointer<CChar>!, _ method: UnsafePointer<CChar>!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ blocks: MutableNodes!
) -> camber_status {
  let k = planned(kind)
  return transform(tape, blocks, blockCount(k == .hessian ? input_count : output_count, input_count), "plan_blocks") { h, t in
    by(h, t, k, method, outputs, output_count, inputs, input_count)
  }
}
@inline(never) private func by(_ h: TapeHandle, _ t: Tape, _ kind: MethodPlan.Kind?, _ method: UnsafePointer<CChar>?, _ outputs: Nodes?, _ m: Int, _ inputs: Nodes?, _ n: Int) -> [NodeID]? {
  guard kind == .jacobian || kind == .hessian else { t.fail(.invalid, "plan_blocks: kind is jacobian or hessian"); return nil }
  let name = method.map { String(cString: $0) } ?? ""
  guard let way = PlanMethod.allCases.first(where: { $0.name == name }) else { t.fail(.invalid, "plan_blocks: no method is called \(name)"); return nil }
  guard let y = h.nodes(outputs, m, "plan_blocks"), let x = h.nodes(inputs, n, "plan_blocks") else { return nil }
  return t.blocks(by: way, hessian: kind == .hessian, y, x, name: "plan_blocks")
}

@_cdecl("camber_plan_save") @implementation public func camber_plan_save(_ path: UnsafePointer<CChar>!) -> camber_status { file(path, PlanMemory.save) }
@_cdecl("camber_plan_load") @implementation public func camber_plan_load(_ path: UnsafePointer<CChar>!) -> camber_status { file(path, PlanMemory.load) }
@_cdecl("camber_plan_forget") @implementation public func camber_plan_forget() { PlanMemory.forget() }
private func file(_ path: UnsafePointer<CChar>?, _ act: (String) -> Failure?) -> camber_status {
  guard let path else { return CAMBER_EINVAL.raw }
  return act(String(cString: path))?.code.rawValue ?? 0
}
