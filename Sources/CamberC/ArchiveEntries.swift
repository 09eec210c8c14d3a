public import CCamber
import Glibc
import Runtime
import Tape

final class ArchiveHandle: Handled {
  var archive = Archive()
  var packed = Buffer<UInt8>()
  /// Texts that were given out, each for as long as the archive holds it.
  private let texts = Guarded<[String: UnsafeMutablePointer<CChar>]>([:])

  func shown(_ s: String) -> UnsafePointer<CChar>? {
    texts.withLock { known in
      if let p = known[s] { return UnsafePointer(p) }
      guard let copy = strdup(s) else { return nil }
      known[s] = copy
      return UnsafePointer(copy)
    }
  }
  func fill(_ a: Archive) {
    archive = a
    packed = Buffer()
  }
  deinit { texts.withLock { for (_, p) in $0 { free(p) } } }
}

private typealias Text = UnsafePointer<CChar>

private func kept(_ archive: OpaquePointer?, _ body: (ArchiveHandle) throws(Failure) -> Void) -> camber_status {
  guard let h = archiveHandle(archive) else { return CAMBER_EHANDLE.raw }
  do { try body(h) } catch { return h.fail(error) }
  return 0
}

private func text(_ p: Text?, _ what: String) throws(Failure) -> String {
  guard let p else { throw Failure(.invalid, "archive: \(what) is NULL") }
  guard let s = String(validatingCString: p) else { throw Failure(.invalid, "archive: \(what) is not UTF-8") }
  return s
}

@_cdecl("camber_archive_new") @implementation public func camber_archive_new() -> OpaquePointer! { makeHandle(.archive, ArchiveHandle()) }
@_cdecl("camber_archive_free") @implementation public func camber_archive_free(_ archive: OpaquePointer!) { freeHandle(.archive, archive) }
@_cdecl("camber_archive_message") @implementation public func camber_archive_message(_ archive: OpaquePointer!) -> UnsafePointer<CChar>! {
  archiveHandle(archive)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}

private func names(_ p: UnsafePointer<Text?>?, _ n: Int, _ what: String) throws(Failure) -> [String] {
  var list: [String] = []
  for i in 0 ..< n { list.append(try p?[i].map { q throws(Failure) in try text(q, "\(what) \(i)'s name") } ?? "") }
  return list
}
private func nodes(_ h: TapeHandle, _ p: UnsafePointer<camber_node>?, _ n: Int, _ what: String) throws(Failure) -> [NodeID] {
  guard n >= 0, n <= 1 << 28 else { throw Failure(.invalid, "archive: a count of \(UInt(bitPattern: n)) \(what)s") }
  guard n == 0 || p != nil else { throw Failure(.invalid, "archive: the array of \(n) \(what)s is NULL") }
  return (0 ..< n).map { h.node(p.unsafelyUnwrapped[$0]) }
}

@_cdecl("camber_archive_add") @implementation public func camber_archive_add(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ tape: OpaquePointer!, _ inputs: UnsafePointer<camber_node>!,
  _ input_names: UnsafePointer<UnsafePointer<CChar>?>!, _ input_count: Int, _ outputs: UnsafePointer<camber_node>!,
  _ output_names: UnsafePointer<UnsafePointer<CChar>?>!, _ output_count: Int
) -> camber_status {
  kept(archive) { h throws(Failure) in
    guard let t = tapeHandle(tape) else { throw Failure(.handle, "archive: the tape is NULL, freed or another kind of handle") }
    defer { t.settle() }
    let name = try text(function, "the function's name")
    let x = try nodes(t, inputs, input_count, "input"), y = try nodes(t, outputs, output_count, "output")
    try h.archive.add(name, t.tape, inputs: x, names: names(input_names, x.count, "input"), outputs: y, names(output_names, y.count, "output"))
  }
}
@_cdecl("camber_archive_set") @implementation public func camber_archive_set(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ option: UnsafePointer<CChar>!, _ value: Double
) -> camber_status {
  kept(archive) { h throws(Failure) in try h.archive.set(text(function, "the function's name"), text(option, "the option's name"), value) }
}
@_cdecl("camber_archive_alias") @implementation public func camber_archive_alias(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ output: Int, _ input: Int
) -> camber_status {
  kept(archive) { h throws(Failure) in try h.archive.alias(text(function, "the function's name"), output: output, input: input) }
}
@_cdecl("camber_archive_set_note") @implementation public func camber_archive_set_note(
  _ archive: OpaquePointer!, _ key: UnsafePointer<CChar>!, _ text: UnsafePointer<CChar>!
) -> camber_status {
  kept(archive) { h throws(Failure) in try h.archive.note(CamberC.text(key, "the note's key"), CamberC.text(text, "the note")) }
}
@_cdecl("camber_archive_note") @implementation public func camber_archive_note(_ archive: OpaquePointer!, _ key: UnsafePointer<CChar>!) -> UnsafePointer<CChar>! {
  guard let h = archiveHandle(archive), let key else { return nil }
  let wanted = String(cString: key)
  return h.archive.notes.first { $0.key == wanted }.flatMap { h.shown($0.text) }
}

@_cdecl("camber_archive_save") @implementation public func camber_archive_save(_ archive: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> camber_status {
  kept(archive) { h throws(Failure) in
    guard let path else { throw Failure(.invalid, "archive: the path is NULL") }
    try h.archive.save(path)
  }
}
@_cdecl("camber_archive_pack") @implementation public func camber_archive_pack(
  _ archive: OpaquePointer!, _ data: UnsafeMutablePointer<UnsafeRawPointer?>!, _ size: UnsafeMutablePointer<Int>!
) -> camber_status {
  kept(archive) { h throws(Failure) in
    guard let data, let size else { throw Failure(.invalid, "archive: the place for data or size is NULL") }
    h.packed = try h.archive.encoded()
    data.pointee = UnsafeRawPointer(h.packed.base)
    size.pointee = h.packed.count
  }
}

private func empty(_ h: ArchiveHandle) throws(Failure) {
  guard h.archive.functions.isEmpty, h.archive.notes.isEmpty else { throw Failure(.invalid, "archive: it holds \(h.archive.functions.count) functions already; load into a new one") }
}
@_cdecl("camber_archive_load") @implementation public func camber_archive_load(_ archive: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> camber_status {
  kept(archive) { h throws(Failure) in
    guard let path else { throw Failure(.invalid, "archive: the path is NULL") }
    try empty(h)
    h.fill(try Archive.load(path))
  }
}
@_cdecl("camber_archive_unpack") @implementation public func camber_archive_unpack(_ archive: OpaquePointer!, _ data: UnsafeRawPointer!, _ size: Int) -> camber_status {
  kept(archive) { h throws(Failure) in
    guard size >= 0, data != nil || size == 0 else { throw Failure(.invalid, "archive: \(UInt(bitPattern: size)) bytes at \(data == nil ? "NULL" : "the address")") }
    try empty(h)
    h.fill(try Archive.unpack(UnsafeRawBufferPointer(start: data, count: size)))
  }
}

@_cdecl("camber_archive_count") @implementation public func camber_archive_count(_ archive: OpaquePointer!) -> Int { archiveHandle(archive)?.archive.functions.count ?? 0 }
@_cdecl("camber_archive_function") @implementation public func camber_archive_function(_ archive: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! {
  guard let h = archiveHandle(archive), h.archive.functions.indices.contains(i) else { return nil }
  return h.shown(h.archive.functions[i].name)
}

private func found(_ archive: OpaquePointer?, _ function: Text?) -> (ArchiveHandle, Archive.Function)? {
  guard let h = archiveHandle(archive), let function, let i = h.archive.index(String(cString: function)) else { return nil }
  return (h, h.archive.functions[i])
}
@_cdecl("camber_archive_arity") @implementation public func camber_archive_arity(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ input_count: UnsafeMutablePointer<Int>!, _ output_count: UnsafeMutablePointer<Int>!
) -> camber_status {
  guard archiveHandle(archive) != nil else { return CAMBER_EHANDLE.raw }
  guard let (_, f) = found(archive, function) else { return CAMBER_EINVAL.raw }
  input_count?.pointee = f.inputs.count
  output_count?.pointee = f.outputs.count
  return 0
}
private func name(_ found: (ArchiveHandle, Archive.Function)?, _ i: Int, _ list: (Archive.Function) -> [String]) -> Text? {
  guard let (h, f) = found, list(f).indices.contains(i) else { return nil }
  return h.shown(list(f)[i])
}
@_cdecl("camber_archive_input_name") @implementation public func camber_archive_input_name(_ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ i: Int) -> UnsafePointer<CChar>! {
  name(found(archive, function), i) { $0.inputNames }
}
@_cdecl("camber_archive_output_name") @implementation public func camber_archive_output_name(_ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ i: Int) -> UnsafePointer<CChar>! {
  name(found(archive, function), i) { $0.outputNames }
}
@_cdecl("camber_archive_program") @implementation public func camber_archive_program(_ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!) -> OpaquePointer! {
  guard let h = archiveHandle(archive) else { return nil }
  do throws(Failure) {
    let name = try text(function, "the function's name"), p = ProgramHandle(try h.archive.program(name))
    for a in h.archive.functions[h.archive.index(name).unsafelyUnwrapped].aliases { _ = p.alias(output: a.output, input: a.input) }
    return makeHandle(.program, p)
  } catch {
    _ = h.fail(error)
    return nil
  }
}
@_cdecl("camber_archive_tape") @implementation public func camber_archive_tape(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ inputs: UnsafeMutablePointer<camber_node>!, _ outputs: UnsafeMutablePointer<camber_node>!
) -> OpaquePointer! {
  guard let h = archiveHandle(archive) else { return nil }
  guard let (_, f) = found(archive, function) else {
    _ = h.fail(h.archive.unknown(function.map { String(cString: $0) } ?? "NULL"))
    return nil
  }
  let t = TapeHandle(f.tape)
  if let inputs { for (i, n) in f.inputs.enumerated() { inputs[i] = t.pack(n) } }
  if let outputs { for (i, n) in f.outputs.enumerated() { outputs[i] = t.pack(n) } }
  return makeHandle(.tape, t)
}
@_cdecl("camber_archive_apply") @implementation public func camber_archive_apply(
  _ archive: OpaquePointer!, _ function: UnsafePointer<CChar>!, _ tape: OpaquePointer!, _ inputs: UnsafePointer<camber_node>!, _ input_count: Int, _ outputs: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  let count = found(archive, function)?.1.outputs.count ?? 0
  return transform(tape, outputs, count, "archive_apply") { h, t in
    guard let a = archiveHandle(archive) else { t.fail(.handle, "archive_apply: the archive is NULL, freed or another kind of handle"); return nil }
    guard let x = h.nodes(inputs, input_count, "archive_apply") else { return nil }
    do throws(Failure) { return try a.archive.apply(text(function, "the function's name"), on: t, x) } catch {
      t.fail(error.code, error.message)
      return nil
    }
  }
}
