public import CCamber
import Glibc
import Optimize
import Runtime
import Tape

final class OptimizerHandle: Handled {
  let optimizer: Optimizer
  /// Names of the state arrays as C reads them.
  var names: [UnsafeMutablePointer<CChar>?] = []
  init(_ o: Optimizer) { optimizer = o }
  deinit { for n in names { free(n) } }
}

final class ScheduleHandle: Handled {
  var schedule: Schedule
  init(_ s: Schedule) { schedule = s }
}

final class ScalerHandle: Handled {
  var scaler = LossScaler()
}

final class TensorsHandle: Handled {
  let tensors: Tensors
  private(set) var names: [UnsafeMutablePointer<CChar>?]
  private(set) var shapes: [UnsafeMutablePointer<Int64>]
  init(_ t: Tensors) {
    tensors = t
    names = t.entries.map { strdup($0.name) }
    shapes = t.entries.map { e in
      let p = UnsafeMutablePointer<Int64>.allocate(capacity: max(e.type.rank, 1))
      for (i, n) in e.type.shape.enumerated() { p[i] = Int64(n) }
      return p
    }
  }
  deinit {
    for n in names { free(n) }
    for s in shapes { s.deallocate() }
  }
}

private func handleMessage() -> UnsafePointer<CChar>! { camber_status_message(CAMBER_EHANDLE.raw) }

@_cdecl("camber_optimizer_new") @implementation public func camber_optimizer_new(_ method: UnsafePointer<CChar>!) -> OpaquePointer! {
  guard let method, let o = Optimizer(String(cString: method)) else { return nil }
  return makeHandle(.optimizer, OptimizerHandle(o))
}
@_cdecl("camber_optimizer_free") @implementation public func camber_optimizer_free(_ optimizer: OpaquePointer!) { freeHandle(.optimizer, optimizer) }
@_cdecl("camber_optimizer_message") @implementation public func camber_optimizer_message(_ optimizer: OpaquePointer!) -> UnsafePointer<CChar>! {
  optimizerHandle(optimizer)?.text ?? handleMessage()
}
@_cdecl("camber_optimizer_set") @implementation public func camber_optimizer_set(_ optimizer: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = optimizerHandle(optimizer) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "optimizer: the option's name is NULL")) }
  return h.optimizer.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_optimizer_set_schedule") @implementation public func camber_optimizer_set_schedule(_ optimizer: OpaquePointer!, _ schedule: OpaquePointer!) -> camber_status {
  guard let h = optimizerHandle(optimizer) else { return CAMBER_EHANDLE.raw }
  guard schedule != nil else {
    h.optimizer.set(nil)
    return 0
  }
  guard let s = scheduleHandle(schedule) else { return h.fail(Failure(.handle, "optimizer: the schedule is freed or of another kind")) }
  h.optimizer.set(s.schedule)
  return 0
}
@_cdecl("camber_optimizer_add") @implementation public func camber_optimizer_add(
  _ optimizer: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int
) -> camber_status {
  guard let h = optimizerHandle(optimizer) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "optimizer: the parameter's name is NULL")) }
  let n = String(cString: name)
  guard let d = DType(rawValue: dtype) else { return h.fail(Failure(.dtype, "optimizer: parameter \"\(n)\": \(dtype) is no dtype")) }
  guard rank >= 0, rank <= 32, rank == 0 || shape != nil else { return h.fail(Failure(.shape, "optimizer: parameter \"\(n)\": rank \(UInt(bitPattern: rank)), or its shape is NULL")) }
  let s = (0 ..< rank).map { Int(shape[$0]) }
  guard let t = TensorType(d, checking: s) else { return h.fail(Failure(.shape, "optimizer: parameter \"\(n)\": shape \(shapeText(s)) cannot exist")) }
  return h.optimizer.add(n, t).map(h.fail) ?? 0
}
@_cdecl("camber_optimizer_step") @implementation public func camber_optimizer_step(
  _ optimizer: OpaquePointer!, _ params: UnsafePointer<UnsafeMutableRawPointer?>!, _ gradients: UnsafePointer<UnsafeRawPointer?>!
) -> camber_status {
  guard let h = optimizerHandle(optimizer) else { return CAMBER_EHANDLE.raw }
  guard let params, let gradients else { return h.fail(Failure(.invalid, "optimizer: the array of parameters or gradients is NULL")) }
  do {
    let code = try h.optimizer.step(params, gradients)
    if code == .nonfinite { h.say("optimizer: a gradient is not finite; nothing was changed") }
    return code.rawValue
  } catch { return h.fail(error) }
}
@_cdecl("camber_optimizer_steps") @implementation public func camber_optimizer_steps(_ optimizer: OpaquePointer!) -> Int64 {
  optimizerHandle(optimizer)?.optimizer.steps ?? -1
}
@_cdecl("camber_optimizer_gradient_norm") @implementation public func camber_optimizer_gradient_norm(_ optimizer: OpaquePointer!) -> Double {
  optimizerHandle(optimizer)?.optimizer.gradientNorm ?? .nan
}

private func planned(_ h: OptimizerHandle) -> camber_status {
  do { try h.optimizer.plan() } catch { return h.fail(error) }
  if h.names.isEmpty { h.names = h.optimizer.state.map { strdup($0.name) } }
  return 0
}
@_cdecl("camber_optimizer_state_count") @implementation public func camber_optimizer_state_count(_ optimizer: OpaquePointer!) -> Int {
  guard let h = optimizerHandle(optimizer), planned(h) == 0 else { return 0 }
  return h.optimizer.state.count
}
@_cdecl("camber_optimizer_state") @implementation public func camber_optimizer_state(
  _ optimizer: OpaquePointer!, _ i: Int, _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ dtype: UnsafeMutablePointer<camber_dtype>!,
  _ count: UnsafeMutablePointer<Int>!, _ data: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> camber_status {
  guard let h = optimizerHandle(optimizer) else { return CAMBER_EHANDLE.raw }
  let s = planned(h)
  guard s == 0 else { return s }
  guard h.optimizer.state.indices.contains(i) else { return h.fail(Failure(.invalid, "optimizer: state \(UInt(bitPattern: i)) of \(h.optimizer.state.count)")) }
  let a = h.optimizer.state[i]
  name?.pointee = h.names[i].map { UnsafePointer($0) }
  dtype?.pointee = a.dtype.rawValue
  count?.pointee = a.count
  data?.pointee = a.data
  return 0
}

@_cdecl("camber_schedule_new") @implementation public func camber_schedule_new(_ kind: UnsafePointer<CChar>!) -> OpaquePointer! {
  guard let kind, let s = Schedule(String(cString: kind)) else { return nil }
  return makeHandle(.schedule, ScheduleHandle(s))
}
@_cdecl("camber_schedule_free") @implementation public func camber_schedule_free(_ schedule: OpaquePointer!) { freeHandle(.schedule, schedule) }
@_cdecl("camber_schedule_message") @implementation public func camber_schedule_message(_ schedule: OpaquePointer!) -> UnsafePointer<CChar>! {
  scheduleHandle(schedule)?.text ?? handleMessage()
}
@_cdecl("camber_schedule_set") @implementation public func camber_schedule_set(_ schedule: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = scheduleHandle(schedule) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "schedule: the option's name is NULL")) }
  return h.schedule.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_schedule_value") @implementation public func camber_schedule_value(_ schedule: OpaquePointer!, _ step: Int64) -> Double {
  scheduleHandle(schedule)?.schedule.value(step) ?? .nan
}

@_cdecl("camber_scaler_new") @implementation public func camber_scaler_new() -> OpaquePointer! { makeHandle(.scaler, ScalerHandle()) }
@_cdecl("camber_scaler_free") @implementation public func camber_scaler_free(_ scaler: OpaquePointer!) { freeHandle(.scaler, scaler) }
@_cdecl("camber_scaler_message") @implementation public func camber_scaler_message(_ scaler: OpaquePointer!) -> UnsafePointer<CChar>! {
  scalerHandle(scaler)?.text ?? handleMessage()
}
@_cdecl("camber_scaler_set") @implementation public func camber_scaler_set(_ scaler: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = scalerHandle(scaler) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "loss scaler: the option's name is NULL")) }
  return h.scaler.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_scaler_scale") @implementation public func camber_scaler_scale(_ scaler: OpaquePointer!) -> Double { scalerHandle(scaler)?.scaler.scale ?? .nan }
@_cdecl("camber_scaler_skipped") @implementation public func camber_scaler_skipped(_ scaler: OpaquePointer!) -> Int64 { scalerHandle(scaler)?.scaler.skipped ?? -1 }
/// The host's gradients as the core wants them.
private func gradientList(_ count: Int, _ dtypes: UnsafePointer<camber_dtype>?, _ sizes: UnsafePointer<Int>?, _ gradients: ((Int) -> UnsafeMutableRawPointer?)?) throws(Failure) -> [LossScaler.Gradient] {
  guard count >= 0, count < 1 << 28, count == 0 || (gradients != nil && dtypes != nil && sizes != nil) else {
    throw Failure(.invalid, "loss scaler: \(UInt(bitPattern: count)) gradients, or an array is NULL")
  }
  var list: [LossScaler.Gradient] = []
  guard let gradients, let dtypes, let sizes else { return list }
  for i in 0 ..< count {
    guard let d = DType(rawValue: dtypes[i]), d.isFloat else { throw Failure(.dtype, "loss scaler: gradient \(i) is no float") }
    guard sizes[i] >= 0, sizes[i] <= TensorType.countLimit else { throw Failure(.shape, "loss scaler: gradient \(i) has \(UInt(bitPattern: sizes[i])) elements") }
    guard let p = gradients(i) else { throw Failure(.invalid, "loss scaler: gradient \(i) is NULL") }
    list.append((p, d, sizes[i]))
  }
  return list
}
@_cdecl("camber_scaler_unscale") @implementation public func camber_scaler_unscale(
  _ scaler: OpaquePointer!, _ count: Int, _ gradients: UnsafePointer<UnsafeMutableRawPointer?>!, _ dtypes: UnsafePointer<camber_dtype>!, _ sizes: UnsafePointer<Int>!
) -> camber_status {
  guard let h = scalerHandle(scaler) else { return CAMBER_EHANDLE.raw }
  do {
    return try h.scaler.unscale(gradientList(count, dtypes, sizes, gradients.map { g in { g[$0] } })) ? 0 : CAMBER_NONFINITE.raw
  } catch { return h.fail(error) }
}
@_cdecl("camber_scaler_classify") @implementation public func camber_scaler_classify(
  _ scaler: OpaquePointer!, _ count: Int, _ gradients: UnsafePointer<UnsafeRawPointer?>!, _ dtypes: UnsafePointer<camber_dtype>!, _ sizes: UnsafePointer<Int>!
) -> camber_status {
  guard let h = scalerHandle(scaler) else { return CAMBER_EHANDLE.raw }
  do {
    // Only read, whatever the type says.
    if try h.scaler.classify(gradientList(count, dtypes, sizes, gradients.map { g in { g[$0].map { UnsafeMutableRawPointer(mutating: $0) } } })) { return 0 }
    h.say("loss scaler: gradient \(h.scaler.tensor) is not finite at a scale of 1 either; the scale stays \(h.scaler.scale)")
    return CAMBER_NONFINITE.raw
  } catch { return h.fail(error) }
}
@_cdecl("camber_scaler_fault") @implementation public func camber_scaler_fault(_ scaler: OpaquePointer!) -> Int32 { scalerHandle(scaler)?.scaler.fault.rawValue ?? -1 }
@_cdecl("camber_scaler_tensor") @implementation public func camber_scaler_tensor(_ scaler: OpaquePointer!) -> Int64 { scalerHandle(scaler).map { Int64($0.scaler.tensor) } ?? -1 }

// MARK: tensors in files

@_cdecl("camber_tensors_save") @implementation public func camber_tensors_save(
  _ path: UnsafePointer<CChar>!, _ count: Int, _ names: UnsafePointer<UnsafePointer<CChar>?>!, _ dtypes: UnsafePointer<camber_dtype>!,
  _ ranks: UnsafePointer<Int>!, _ shapes: UnsafePointer<Int64>!, _ data: UnsafePointer<UnsafeRawPointer?>!
) -> camber_status {
  guard let path, count >= 0, count < 1 << 28, count == 0 || (names != nil && dtypes != nil && ranks != nil && data != nil) else { return CAMBER_EINVAL.raw }
  var items: [(name: String, type: TensorType, data: UnsafeRawPointer)] = [], at = 0
  for i in 0 ..< count {
    guard let name = names[i] else { return CAMBER_EINVAL.raw }
    guard let d = DType(rawValue: dtypes[i]) else { return CAMBER_EDTYPE.raw }
    guard ranks[i] >= 0, ranks[i] <= 32, ranks[i] == 0 || shapes != nil else { return CAMBER_ESHAPE.raw }
    guard let t = TensorType(d, checking: (0 ..< ranks[i]).map { Int(shapes[at + $0]) }) else { return CAMBER_ESHAPE.raw }
    guard let p = data[i] else { return CAMBER_EINVAL.raw }
    at += ranks[i]
    items.append((String(cString: name), t, p))
  }
  do { try Tensors.save(path, items) } catch { return error.code.rawValue }
  return 0
}
@_cdecl("camber_tensors_open") @implementation public func camber_tensors_open(_ path: UnsafePointer<CChar>!, _ status: UnsafeMutablePointer<camber_status>!) -> OpaquePointer! {
  guard let path else {
    status?.pointee = CAMBER_EINVAL.raw
    return nil
  }
  do {
    let t = try Tensors(reading: path)
    status?.pointee = 0
    return makeHandle(.tensors, TensorsHandle(t))
  } catch {
    status?.pointee = error.code.rawValue
    return nil
  }
}
@_cdecl("camber_tensors_free") @implementation public func camber_tensors_free(_ tensors: OpaquePointer!) { freeHandle(.tensors, tensors) }
@_cdecl("camber_tensors_count") @implementation public func camber_tensors_count(_ tensors: OpaquePointer!) -> Int { tensorsHandle(tensors)?.tensors.entries.count ?? 0 }
@_cdecl("camber_tensors_get") @implementation public func camber_tensors_get(
  _ tensors: OpaquePointer!, _ i: Int, _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ dtype: UnsafeMutablePointer<camber_dtype>!,
  _ rank: UnsafeMutablePointer<Int>!, _ shape: UnsafeMutablePointer<UnsafePointer<Int64>?>!, _ data: UnsafeMutablePointer<UnsafeRawPointer?>!
) -> camber_status {
  guard let h = tensorsHandle(tensors) else { return CAMBER_EHANDLE.raw }
  guard h.tensors.entries.indices.contains(i) else { return CAMBER_EINVAL.raw }
  let e = h.tensors.entries[i]
  name?.pointee = h.names[i].map { UnsafePointer($0) }
  dtype?.pointee = e.type.dtype.rawValue
  rank?.pointee = e.type.rank
  shape?.pointee = UnsafePointer(h.shapes[i])
  data?.pointee = e.data
  return 0
}
