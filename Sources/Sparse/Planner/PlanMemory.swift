import CKernels
import Glibc
import Runtime
package import Tape

/// Verdicts of tasting by the function's fingerprint, of this process; in a file, with the machine they are of, where a host names one.
package enum PlanMemory {
  private static let known = Guarded<[UInt64: Int32]>([:])

  package static func verdict(_ hash: UInt64) -> PlanMethod? { known.withLock { $0[hash] }.flatMap { PlanMethod(rawValue: $0) } }
  package static func keep(_ hash: UInt64, _ m: PlanMethod) { known.withLock { $0[hash] = m.rawValue } }
  package static func forget() { known.withLock { $0 = [:] } }
  package static var count: Int { known.withLock { $0.count } }

  /// The processor by name, and how many this process may use.
  private static let machine: UInt64 = {
    var h: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ b: UInt8) { h = (h ^ UInt64(b)) &* 0x100_0000_01B3 }
    if let f = fopen("/proc/cpuinfo", "r") {
      var line = [CChar](repeating: 0, count: 512)
      while fgets(&line, 512, f) != nil {
        if strncmp(line, "model name", 10) == 0 {
          for c in line { if c == 0 { break }; mix(UInt8(bitPattern: c)) }
          break
        }
      }
      fclose(f)
    }
    mix(UInt8(truncatingIfNeeded: Int(ck_processors())))
    return h
  }()

  package static func save(_ path: String) -> Failure? {
    guard let f = fopen(path, "w") else { return Failure(.io, "plan: \(path) cannot be written") }
    var text = "camber plan 1 \(String(machine, radix: 16))\n"
    let all = known.withLock { $0 }
    for k in all.keys.sorted() { text += "\(String(k, radix: 16)) \(PlanMethod(rawValue: all[k] ?? 0)?.name ?? "forward")\n" }
    let written = fputs(text, f) >= 0, closed = fclose(f) == 0
    return written && closed ? nil : Failure(.io, "plan: \(path) was not written to its end")
  }

  /// Adds a file's verdicts; those of another machine are left out.
  package static func load(_ path: String) -> Failure? {
    guard let f = fopen(path, "r") else { return Failure(.io, "plan: \(path) cannot be read") }
    defer { fclose(f) }
    var line = [CChar](repeating: 0, count: 256), first = true, found: [UInt64: Int32] = [:]
    while fgets(&line, 256, f) != nil {
      let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
      let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
      if first {
        guard words.count == 4, words[0] == "camber", words[1] == "plan", words[2] == "1", let m = UInt64(words[3], radix: 16) else { return Failure(.io, "plan: \(path) is no file of verdicts") }
        if m != machine { return nil }
        first = false
        continue
      }
      guard words.count == 2, let h = UInt64(words[0], radix: 16), let m = PlanMethod.allCases.first(where: { $0.name == words[1] }) else { return Failure(.io, "plan: \(path) is damaged") }
      found[h] = m.rawValue
    }
    if first { return Failure(.io, "plan: \(path) is no file of verdicts") }
    known.withLock { k in for (h, m) in found { k[h] = m } }
    return nil
  }
}
