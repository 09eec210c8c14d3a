public import CCamber
import Clinic
import Glibc
import Health
import Optimize
import Tape

final class FlowHandle: Handled {
  let flow: Flow
  private var names: [UnsafeMutablePointer<CChar>?] = []
  init(_ f: Flow) { flow = f }
  deinit { for n in names { free(n) } }
  func level(_ i: Int) -> UnsafePointer<CChar> {
    if names.count != flow.levelCount {
      for n in names { free(n) }
      names = (0 ..< flow.levelCount).map { strdup(flow.level($0)) }
    }
    return names.indices.contains(i) ? names[i].map { UnsafePointer($0) } ?? empty : empty
  }
}

func flowHandle(_ h: OpaquePointer?) -> FlowHandle? { lend(h, .flow, as: FlowHandle.self) { $0 } }

@inline(never) private func made(_ h: TapeHandle, _ loss: camber_node, _ params: Nodes?, _ n: Int, _ data: Nodes?, _ m: Int) -> OpaquePointer? {
  guard let p = h.nodes(params, n, "flow"), let d = h.nodes(data, m, "flow") else { return nil }
  do { return makeHandle(.flow, FlowHandle(try Flow(h.tape, h.node(loss), params: p, data: d))) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}

@_cdecl("camber_flow_new") @implementation public func camber_flow_new(
  _ tape: OpaquePointer!, _ loss: camber_node, _ params: Nodes!, _ param_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  guard h.tape.failure == nil else { return nil }
  return made(h, loss, params, param_count, data, data_count)
}
@_cdecl("camber_flow_free") @implementation public func camber_flow_free(_ flow: OpaquePointer!) { freeHandle(.flow, flow) }
@_cdecl("camber_flow_message") @implementation public func camber_flow_message(_ flow: OpaquePointer!) -> UnsafePointer<CChar>! {
  flowHandle(flow)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_flow_set") @implementation public func camber_flow_set(_ flow: OpaquePointer!, _ option: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  guard let option else { return h.fail(Failure(.invalid, "flow: the option's name is NULL")) }
  return h.flow.set(String(cString: option), value).map(h.fail) ?? 0
}

@inline(never) private func add(_ h: FlowHandle, _ name: UnsafePointer<CChar>?, _ node: camber_node, steps: Bool) -> camber_status {
  guard let name else { return h.fail(Failure(.invalid, "flow: the layer's name is NULL")) }
  return h.flow.add(String(cString: name), h.flow.resolve(node), steps: steps).map(h.fail) ?? 0
}
@_cdecl("camber_flow_layer") @implementation public func camber_flow_layer(_ flow: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ node: camber_node) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return add(h, name, node, steps: false)
}
@_cdecl("camber_flow_steps") @implementation public func camber_flow_steps(_ flow: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ node: camber_node) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return add(h, name, node, steps: true)
}
@_cdecl("camber_flow_name") @implementation public func camber_flow_name(_ flow: OpaquePointer!, _ i: Int, _ name: UnsafePointer<CChar>!) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "flow: the parameter's name is NULL")) }
  return h.flow.name(i, String(cString: name)).map(h.fail) ?? 0
}
@inline(never) private func run(_ h: FlowHandle, _ p: UnsafePointer<UnsafeRawPointer?>?, _ d: UnsafePointer<UnsafeRawPointer?>?, _ loss: UnsafeMutableRawPointer?,
                                _ g: UnsafePointer<UnsafeMutableRawPointer?>?) -> camber_status {
  guard let p else { return h.fail(Failure(.invalid, "flow: the array of parameters is NULL")) }
  do {
    let c = try h.flow.run(params: p, data: d, loss: loss, gradients: g)
    if c == .nonfinite { h.say("flow: the loss or a gradient is not finite") }
    return c.rawValue
  } catch { return h.fail(error) }
}
@_cdecl("camber_flow_run") @implementation public func camber_flow_run(
  _ flow: OpaquePointer!, _ params: UnsafePointer<UnsafeRawPointer?>!, _ data: UnsafePointer<UnsafeRawPointer?>!, _ loss: UnsafeMutableRawPointer!,
  _ gradients: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return run(h, params, data, loss, gradients)
}
@_cdecl("camber_flow_findings") @implementation public func camber_flow_findings(_ flow: OpaquePointer!) -> OpaquePointer! {
  guard let h = flowHandle(flow) else { return nil }
  return makeHandle(.findings, FindingsHandle(h.flow.findings()))
}
@_cdecl("camber_flow_levels") @implementation public func camber_flow_levels(_ flow: OpaquePointer!) -> Int { flowHandle(flow)?.flow.levelCount ?? 0 }
@_cdecl("camber_flow_level") @implementation public func camber_flow_level(_ flow: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! { flowHandle(flow)?.level(i) ?? empty }

@inline(never) private func statistic(_ h: FlowHandle, _ name: UnsafePointer<CChar>?, _ values: UnsafeMutablePointer<Double>?, _ count: Int) -> camber_status {
  guard let name else { return h.fail(Failure(.invalid, "flow: the statistic's name is NULL")) }
  let n = String(cString: name)
  guard let v = h.flow.statistic(n) else { return h.fail(Failure(.invalid, "flow: no statistic is called \(n)")) }
  guard v.count == count else { return h.fail(Failure(.shape, "flow: \(n) has \(v.count) numbers, not \(count)")) }
  guard let values = values ?? (count == 0 ? UnsafeMutablePointer(bitPattern: 8) : nil) else { return h.fail(Failure(.invalid, "flow: the array for \(n) is NULL")) }
  for (i, x) in v.enumerated() { values[i] = x }
  return 0
}
@_cdecl("camber_flow_statistic") @implementation public func camber_flow_statistic(
  _ flow: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ values: UnsafeMutablePointer<Double>!, _ count: Int
) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return statistic(h, name, values, count)
}
@_cdecl("camber_flow_slope") @implementation public func camber_flow_slope(_ flow: OpaquePointer!) -> Double { flowHandle(flow)?.flow.slope ?? .nan }

@inline(never) private func prescribe(_ h: FlowHandle, _ remedy: UnsafePointer<CChar>?, _ place: UnsafePointer<CChar>?, _ o: OptimizerHandle?, _ s: ScalerHandle?,
                                      _ p: UnsafePointer<UnsafeMutableRawPointer?>?, _ d: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
  guard let remedy, let p else { return h.fail(Failure(.invalid, "prescribe: the remedy or the array of parameters is NULL")) }
  guard d != nil || h.flow.dataCount == 0 else { return h.fail(Failure(.invalid, "prescribe: the array of data is NULL")) }
  for i in 0 ..< h.flow.parameterCount where p[i] == nil && h.flow.parameterType(i).count > 0 { return h.fail(Failure(.invalid, "prescribe: parameter \(i) is NULL")) }
  if let o, o.optimizer.parameters.map(\.type) != (0 ..< h.flow.parameterCount).map({ h.flow.parameterType($0) }) {
    return h.fail(Failure(.shape, "prescribe: the optimizer's parameters are not the flow's"))
  }
  do {
    let set = s.map { s in { (v: Double) in _ = s.scaler.set("initial", v) } }
    h.say(try Prescription(h.flow, o?.optimizer, set, p, d).apply(String(cString: remedy), place.map { String(cString: $0) } ?? ""))
    return 0
  } catch { return h.fail(error) }
}
@_cdecl("camber_flow_prescribe") @implementation public func camber_flow_prescribe(
  _ flow: OpaquePointer!, _ remedy: UnsafePointer<CChar>!, _ place: UnsafePointer<CChar>!, _ optimizer: OpaquePointer!, _ scaler: OpaquePointer!,
  _ params: UnsafePointer<UnsafeMutableRawPointer?>!, _ data: UnsafePointer<UnsafeRawPointer?>!
) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  guard optimizer == nil || optimizerHandle(optimizer) != nil, scaler == nil || scalerHandle(scaler) != nil else {
    return h.fail(Failure(.handle, "prescribe: the optimizer or the scaler is a freed handle or one of another kind"))
  }
  return prescribe(h, remedy, place, optimizerHandle(optimizer), scalerHandle(scaler), params, data)
}
@inline(never) private func verify(_ h: FlowHandle, _ o: OptimizerHandle?, _ p: UnsafePointer<UnsafeMutableRawPointer?>?, _ d: UnsafePointer<UnsafeRawPointer?>?, _ steps: Int) -> OpaquePointer? {
  do throws(Failure) {
    guard let p else { throw Failure(.invalid, "verify: the array of parameters is NULL") }
    for i in 0 ..< h.flow.parameterCount where p[i] == nil && h.flow.parameterType(i).count > 0 { throw Failure(.invalid, "verify: parameter \(i) is NULL") }
    if h.flow.batchCount == 0, h.flow.dataCount > 0 {
      guard let d, (0 ..< h.flow.dataCount).allSatisfy({ d[$0] != nil }) else { throw Failure(.invalid, "verify: no batch was run yet, and data is NULL") }
    }
    if let o, o.optimizer.parameters.map(\.type) != (0 ..< h.flow.parameterCount).map({ h.flow.parameterType($0) }) {
      throw Failure(.shape, "verify: the optimizer's parameters are not the flow's")
    }
    return makeHandle(.findings, FindingsHandle(try Prescription(h.flow, o?.optimizer, nil, p, d).verify(steps)))
  } catch {
    h.say(error.message)
    return nil
  }
}
@_cdecl("camber_flow_verify") @implementation public func camber_flow_verify(
  _ flow: OpaquePointer!, _ params: UnsafePointer<UnsafeMutableRawPointer?>!, _ data: UnsafePointer<UnsafeRawPointer?>!, _ optimizer: OpaquePointer!, _ steps: Int
) -> OpaquePointer! {
  guard let h = flowHandle(flow) else { return nil }
  guard optimizer == nil || optimizerHandle(optimizer) != nil else {
    h.say("verify: the optimizer is a freed handle or one of another kind")
    return nil
  }
  return verify(h, optimizerHandle(optimizer), params, data, steps)
}
@inline(never) private func treat(_ h: FlowHandle, _ nodes: Nodes?, _ n: Int, _ results: MutableNodes?) -> camber_status {
  guard n >= 0, n <= 1 << 24, n == 0 || nodes != nil && results != nil else { return h.fail(Failure(.invalid, "treat: an array of \(UInt(bitPattern: n)) nodes is NULL or too long")) }
  guard n > 0, let nodes, let results else { return 0 }
  do {
    let y = try h.flow.treat((0 ..< n).map { h.flow.resolve(nodes[$0]) })
    for (i, m) in y.enumerated() { results[i] = h.flow.packed(m) }
  } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_flow_treat") @implementation public func camber_flow_treat(_ flow: OpaquePointer!, _ nodes: Nodes!, _ count: Int, _ results: MutableNodes!) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return treat(h, nodes, count, results)
}
@inline(never) private func noise(_ h: FlowHandle, _ p: UnsafePointer<UnsafeMutableRawPointer?>?, _ out: UnsafeMutablePointer<Double>?) -> camber_status {
  do throws(Failure) {
    guard let p, let out else { throw Failure(.invalid, "noise: an array is NULL") }
    for i in 0 ..< h.flow.parameterCount where p[i] == nil && h.flow.parameterType(i).count > 0 { throw Failure(.invalid, "noise: parameter \(i) is NULL") }
    let n = try h.flow.noise(p)
    (out[0], out[1], out[2]) = (n.scale, n.gradient, n.variance)
    return 0
  } catch { return h.fail(error) }
}
@_cdecl("camber_flow_noise") @implementation public func camber_flow_noise(_ flow: OpaquePointer!, _ params: UnsafePointer<UnsafeMutableRawPointer?>!, _ values: UnsafeMutablePointer<Double>!) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return noise(h, params, values)
}
@inline(never) private func standard(_ h: FlowHandle, _ i: Int, _ mean: UnsafeMutablePointer<Double>?, _ factor: UnsafeMutablePointer<Double>?, _ n: Int) -> camber_status {
  guard let s = h.flow.standard(i) else { return h.fail(Failure(.invalid, "flow: data \(UInt(bitPattern: i)) is not standardised")) }
  guard s.mean.count == n else { return h.fail(Failure(.shape, "flow: data \(i) has \(s.mean.count) features, not \(UInt(bitPattern: n))")) }
  for k in 0 ..< n {
    mean?[k] = s.mean[k]
    factor?[k] = s.factor[k]
  }
  return 0
}
@_cdecl("camber_flow_standard") @implementation public func camber_flow_standard(
  _ flow: OpaquePointer!, _ i: Int, _ mean: UnsafeMutablePointer<Double>!, _ factor: UnsafeMutablePointer<Double>!, _ count: Int
) -> camber_status {
  guard let h = flowHandle(flow) else { return CAMBER_EHANDLE.raw }
  return standard(h, i, mean, factor, count)
}
@_cdecl("camber_flow_scale") @implementation public func camber_flow_scale(_ flow: OpaquePointer!) -> Double { flowHandle(flow)?.flow.scale ?? .nan }
@inline(never) private func initialized(_ how: UnsafePointer<CChar>?, _ d: camber_dtype, _ shape: UnsafePointer<Int64>?, _ rank: Int, _ gain: Double, _ seed: Int64,
                                        _ p: UnsafeMutableRawPointer?) -> camber_status {
  guard let how, let i = Initializer.named(String(cString: how)), let dtype = DType(rawValue: d), rank >= 0, rank <= 32, rank == 0 || shape != nil,
        let t = TensorType(dtype, checking: (0 ..< rank).map { Int(shape.unsafelyUnwrapped[$0]) }), p != nil || t.count == 0 else { return CAMBER_EINVAL.raw }
  do { if let p { try initialize(i, t, p, gain: gain, seed: seed) } } catch { return error.code.rawValue }
  return 0
}
@_cdecl("camber_initialize") @implementation public func camber_initialize(
  _ method: UnsafePointer<CChar>!, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int, _ gain: Double, _ seed: Int64, _ data: UnsafeMutableRawPointer!
) -> camber_status { initialized(method, dtype, shape, rank, gain, seed, data) }
