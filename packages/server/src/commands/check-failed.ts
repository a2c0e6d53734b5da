/** What a command was asked to check is not right: exit code 6, and no fault of the program. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
}
